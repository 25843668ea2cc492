"""Which tables of organizations a query reads or writes without a condition on organization_id.

A table in a query is *pinned* if its organization_id equals a value (a parameter, a variable, a
column of an outer query or of a subquery in FROM, a scalar subselect) or the organization_id of a
pinned table. The condition is in WHERE, ON or USING, for one column or in a row comparison. A
condition in only one arm of an OR doesn't count, and the ON of an outer join pins only the side
whose columns may be null. tests/isolation proves that the value is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from sqlglot import exp, parse
from sqlglot.errors import ParseError, SqlglotError

TENANT = "organization_id"
VALUE = ""
"""What isn't a column of one of the query's own tables."""

Link = tuple[str, str]
"""Two sources, or VALUE and a source: where the first is pinned, the second is."""

STATEMENTS = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable)
VALUES = (exp.Literal, exp.Parameter, exp.Array, exp.Query)


class Unreadable(Exception):
    """sqlglot can't parse the query. The message says why."""


@dataclass(frozen=True)
class Tables:
    """Tables with organization_id, and those without; by their names, with the schema."""

    tenant: frozenset[str]
    plain: frozenset[str]


@dataclass
class Scope:
    """The tables of one query: those with organization_id, by alias,
    and the aliases of the others.
    """

    tenants: dict[str, str] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    links: set[Link] = field(default_factory=set)

    def unpinned(self) -> Iterator[str]:
        """The tables that nothing pins. A table that is joined to one of them is no second
        finding.
        """
        pinned = {VALUE}
        for alias, table in {VALUE: "", **self.tenants}.items():
            if alias not in pinned:
                yield table
                pinned.add(alias)
            while more := {second for first, second in self.links if first in pinned} - pinned:
                pinned |= more


def read(query: str) -> exp.Expr:
    """The tree of one query. Raises Unreadable."""
    try:
        # In lower case, as PostgreSQL compares names. In a call, sqlglot doesn't parse a cast to an
        # array: unnest(p.proargtypes::oid[], p.proargnames).
        trees = parse(re.sub(r"(::\w+)\[\]", r"\1", query.lower()), read="postgres")
    except SqlglotError as error:
        first = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        raise Unreadable(f"{first.get('description', error)} Near: {first.get('highlight')}") from error
    if len(trees) != 1 or not isinstance(trees[0], (*STATEMENTS, exp.Query)):
        raise Unreadable("sqlglot doesn't know this statement")
    return trees[0]


def tables_in(tree: exp.Expr, tables: Tables) -> list[str]:
    """The tables with organization_id in a query, once for each place."""
    return [name for table in tree.find_all(exp.Table) if (name := _name(table)) in tables.tenant]


def unpinned(tree: exp.Expr, tables: Tables) -> Iterator[tuple[str, str]]:
    """The tables that a query, and each query within it, doesn't pin; with what is wrong."""
    for statement in tree.find_all(*STATEMENTS):
        yield from _check(statement, tables)


def _check(statement: exp.Expr, tables: Tables) -> Iterator[tuple[str, str]]:
    if isinstance(statement, exp.Merge | exp.TruncateTable):
        relations = statement.expressions if isinstance(statement, exp.TruncateTable) else [statement.this]
        yield from ((name, "is not read") for name in map(_name, relations) if name in tables.tenant)
        return
    if isinstance(statement, exp.Insert):
        yield from _check_insert(statement, tables)
        return
    scope = Scope()
    if not isinstance(statement, exp.Select):
        _add(statement.this, scope, tables)
    for source in statement.args.get("using") or []:
        _add(source, scope, tables)
    if start := statement.args.get("from_"):
        _join(statement, _add(start.this, scope, tables), scope, tables)
    if where := statement.args.get("where"):
        scope.links |= _links(where.this, scope)
    for table in scope.unpinned():
        yield table, f"is read or written without {TENANT} pinned"


def _check_insert(statement: exp.Insert, tables: Tables) -> Iterator[tuple[str, str]]:
    target = statement.this
    name = _name(target.this if isinstance(target, exp.Schema) else target)
    if name not in tables.tenant:
        return
    if TENANT not in [column.name for column in target.expressions]:
        yield name, f"gets a row without {TENANT} in the list of columns"
    conflict = statement.args.get("conflict")
    targets = conflict.args.get("conflict_keys") or [] if conflict else []
    keys = [column.name for part in targets for column in part.find_all(exp.Column)]
    if keys and TENANT not in keys:
        yield name, f"has a conflict target without {TENANT}"
    elif conflict and not keys and not conflict.args.get("constraint") and conflict.expressions:
        yield name, "has no conflict target"


def _name(table: exp.Expr) -> str:
    schema = table.args.get("db")
    return f"{schema.name}.{table.name}" if schema else table.name


def _add(node: exp.Expr, scope: Scope, tables: Tables) -> set[str]:
    """Adds a source of FROM to the scope; the aliases in it."""
    alias = node.alias_or_name
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery) and not node.alias:
        added = _add(node.this, scope, tables)  # a join in parentheses
    elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        if _name(node) in tables.tenant:
            scope.tenants[alias] = _name(node)
        elif _name(node) in tables.plain:
            scope.plain.add(alias)
        added = {alias}
    else:
        added = {alias} - {""}
    return _join(node, added, scope, tables)


def _join(node: exp.Expr, left: set[str], scope: Scope, tables: Tables) -> set[str]:
    """Adds what is joined to a source of FROM, whose aliases are on the left;
    the aliases of the whole join.
    """
    for join in node.args.get("joins") or []:
        right = _add(join.this, scope, tables)
        links = _links(join.args.get("on"), scope)
        if TENANT in [column.name for column in join.args.get("using") or []]:
            sides = [[alias if alias in scope.tenants else VALUE for alias in side] for side in (left, right)]
            links |= _both_ways(product(*sides))
        # An outer join keeps the rows of one side whatever ON says.
        if join.side == "LEFT":
            links = {link for link in links if link[1] in right}
        elif join.side == "RIGHT":
            links = {link for link in links if link[1] in left}
        elif join.side == "FULL":
            links = set()
        scope.links |= links
        is_comma = not any(join.args.get(part) for part in ("kind", "side", "on", "using", "method"))
        left = right if is_comma else left | right
    return left


def _both_ways(pairs: Iterable[tuple[str | None, ...]]) -> set[Link]:
    known_pairs = [(left, right) for left, right in pairs if left is not None and right is not None]
    return {*known_pairs, *((right, left) for left, right in known_pairs)}


def _links(condition: exp.Expr | None, scope: Scope) -> set[Link]:
    """What is the same organization where the condition holds."""
    condition = condition.unnest() if condition else None
    if isinstance(condition, exp.And):
        return _links(condition.this, scope) | _links(condition.expression, scope)
    if isinstance(condition, exp.Or):
        return _links(condition.this, scope) & _links(condition.expression, scope)
    if isinstance(condition, exp.In):
        is_value = condition.args.get("query") or all(
            _stands_for(expression, scope) == VALUE for expression in condition.expressions
        )
        return _both_ways([(_stands_for(condition.this, scope), VALUE)]) if is_value else set()
    if not isinstance(condition, exp.EQ):
        return set()
    pairs = zip(_row(condition.this), _row(condition.expression), strict=False)
    return _both_ways((_stands_for(left, scope), _stands_for(right, scope)) for left, right in pairs)


def _row(side: exp.Expr) -> list[exp.Expr]:
    """The parts of a row, or the one expression."""
    side = side.unnest()
    is_row = isinstance(side, exp.Tuple) or (isinstance(side, exp.Anonymous) and side.name.lower() == "row")
    return list(side.expressions) if is_row else [side]


def _stands_for(node: exp.Expr, scope: Scope) -> str | None:
    """The alias whose organization_id an expression is; VALUE; None for what is neither."""
    node = node.unnest()
    if isinstance(node, exp.Column):
        if not node.table:
            is_tenants = node.name == TENANT and len(scope.tenants) == 1
            return next(iter(scope.tenants)) if is_tenants else VALUE
        if node.table in scope.tenants:
            return node.table if node.name == TENANT else None
        return None if node.table in scope.plain else VALUE
    if isinstance(node, exp.Cast | exp.Any | exp.Bracket):
        return VALUE if _stands_for(node.this, scope) == VALUE else None
    if isinstance(node, exp.Dot):  # (v).organization_id. A function, auth.organization_id(), runs once for each row.
        return VALUE if isinstance(node.expression, exp.Identifier) else None
    return VALUE if isinstance(node, VALUES) else None
