"""Which sources of one query have their organization pinned.

A source is *pinned* where its organization_id equals a value (a parameter, a variable, a literal, the scalar subselect
`(select auth.organization_id(…))`, any of a list of such) or the organization_id of a source that is pinned: by WHERE,
by ON, by USING, one column or a row of them, in this query or in one around it. What holds in only one arm of an OR
pins nothing, and the ON of an outer join pins only the side that may be missing. A CTE or a derived table hands on what
its own query has pinned, under the column's name there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from tools.tree import identifier

TENANT = "organization_id"
CLAIMS = frozenset({"organization_id", "analyst_organization_id"})

Ref = tuple[str, str]  # a source's alias, a column
Column = tuple[str, bool]  # a column's name, whether it is the id of an organization that is pinned
Link = tuple[Ref, Ref]  # where the first is pinned, the second is

VALUE: Ref = ("", "")  # the side of an equation that is a value


@dataclass(frozen=True)
class World:
    """What a query may name. tables: each one's columns, from the migrations. values: names that are no columns."""

    tables: Mapping[str, tuple[str, ...]]
    views: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table. A name without a schema may be that of any table: a tenant's, if there is one."""
        if "." in table:
            return self.tables.get(table, ())
        found = [columns for name, columns in self.tables.items() if name.rpartition(".")[2] == table]
        return max(found, key=lambda columns: TENANT in columns, default=())

    def is_tenant(self, table: str) -> bool:
        return TENANT in self.columns(table)


@dataclass
class Source:
    """What a query takes rows from. table: a tenant table's name, else empty."""

    table: str
    columns: list[Column]
    node: exp.Expr


@dataclass
class Scope:
    """One query: its sources by alias, the CTEs in sight, and what is known to be pinned, as any value is."""

    outer: Scope | None
    ctes: dict[str, list[Column]]
    sources: dict[str, Source] = field(default_factory=dict)
    links: set[Link] = field(default_factory=set)
    pinned: set[Ref] = field(default_factory=lambda: {VALUE})

    def follow(self, links: set[Link]) -> bool:
        """Takes up what these links pin; whether that was anything new."""
        known = len(self.pinned)
        for alias, source in self.sources.items():
            self.pinned |= {(alias, name) for name, is_pinned in source.columns if is_pinned}
        self.pinned |= {to for start, to in self.links | links if start in self.pinned}
        return len(self.pinned) > known


@dataclass(frozen=True)
class Pinning:
    """Reads conditions. given: the columns that a query within a scope gives, without reporting on it."""

    world: World
    given: Callable[[exp.Expr, Scope], list[Column]]

    def links(self, condition: exp.Expr, scope: Scope) -> set[Link]:
        """What pins what, where the condition holds."""
        condition = condition.unnest()
        if isinstance(condition, exp.And):
            return self.links(condition.this, scope) | self.links(condition.expression, scope)
        if isinstance(condition, exp.Or):
            return self.links(condition.this, scope) & self.links(condition.expression, scope)
        if isinstance(condition, exp.EQ):
            return self._equal(condition.this, condition.expression, scope)
        if isinstance(condition, exp.In) and condition.args.get("query"):
            return self._equal(condition.this, condition.args["query"], scope)
        if isinstance(condition, exp.In) and all(self.is_value(one, scope) for one in condition.expressions):
            return {(VALUE, ref) for ref in self.refs(condition.this, scope)}
        return set()

    def links_of_join(self, join: exp.Join, before: set[str], scope: Scope) -> set[Link]:
        """What the ON and USING of a join pin. before: the aliases on its left."""
        after = set(scope.sources) - before
        links = self.links(join.args["on"], scope) if join.args.get("on") else set()
        for column in map(identifier, join.args.get("using") or []):
            for left in before:
                for right in after:
                    links |= {((left, column), (right, column)), ((right, column), (left, column))}
        if join.side == "LEFT":
            return {link for link in links if link[1][0] in after}
        if join.side == "RIGHT":
            return {link for link in links if link[1][0] in before}
        return set() if join.side else links

    def _equal(self, left: exp.Expr, right: exp.Expr, scope: Scope) -> set[Link]:
        links: set[Link] = set()
        for one, other in zip(self._sides(left, scope), self._sides(right, scope), strict=False):
            links |= {(a, b) for a in one for b in other} | {(b, a) for a in one for b in other}
        return links

    def _sides(self, node: exp.Expr, scope: Scope) -> list[set[Ref]]:
        """What each column of a side stands for: a row has several, all else one."""
        node = node.this if isinstance(node, exp.Any) else node
        if isinstance(node, exp.Tuple) or (isinstance(node, exp.Anonymous) and node.name.lower() == "row"):
            return [self.refs(one, scope) for one in node.expressions]
        if isinstance(node, exp.Query):
            return [{VALUE} if is_pinned else set() for _, is_pinned in self.given(node, scope)]
        return [self.refs(node, scope)]

    def is_value(self, node: exp.Expr, scope: Scope) -> bool:
        return VALUE in self.refs(node, scope)

    def refs(self, node: exp.Expr, scope: Scope) -> set[Ref]:
        """What an expression stands for: a value, columns of this scope (USING merges several), or nothing known."""
        if isinstance(node, exp.Paren):
            return self.refs(node.this, scope)
        if isinstance(node, exp.Cast | exp.Bracket | exp.Dot):
            return self.refs(node.this, scope) & {VALUE}
        if isinstance(node, exp.Literal | exp.Parameter):
            return {VALUE}
        if isinstance(node, exp.Query):
            return next(iter(self._sides(node, scope)), set())
        if isinstance(node, exp.Array):
            return {VALUE} if all(self.is_value(one, scope) for one in node.expressions) else set()
        return self._resolve(node, scope) if isinstance(node, exp.Column) else set()

    def _resolve(self, column: exp.Column, scope: Scope) -> set[Ref]:
        """A name is first a column of the query, then of one around it, and only then a parameter or a variable."""
        name, table = identifier(column.this), identifier(column.args.get("table"))
        around: Scope | None = scope
        while around is not None:
            having = [alias for alias, source in around.sources.items() if name in dict(source.columns)]
            refs = {(alias, name) for alias in ([table] if table in around.sources else [] if table else having)}
            if refs and around is scope:
                return refs
            if refs:
                return {VALUE} if refs & around.pinned else set()
            around = around.outer
        first = identifier(column.args.get("db")) or table or name
        return {VALUE} if first in self.world.values or first == "excluded" else set()


def is_claim(node: exp.Expr) -> bool:
    """Whether this calls a function of `CLAIMS` in a schema: the organization that the caller's key or login proves.

    As a condition it counts within a subselect only, `= (select auth.organization_id('read'))`: bare, it runs per row.
    """
    return (
        isinstance(node, exp.Dot)
        and isinstance(node.expression, exp.Anonymous)
        and node.expression.name.lower() in CLAIMS
    )
