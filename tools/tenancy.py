"""Shows each tenant table that a query reads or writes without its organization pinned, at any depth.

Walks the scopes of one query (WITH, FROM, subqueries wherever they stand, the parts of INSERT, UPDATE and DELETE); what
counts as pinned says `pinning`. A subquery is read twice: quietly for the columns that it hands on, which may pin the
query around it, and then to report on, when all that is pinned around it is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlglot import exp

from tools.pinning import TENANT, Column, Pinning, Scope, Source, World, is_claim
from tools.sqltext import Unreadable
from tools.tree import (
    alias_columns,
    alias_name,
    function_name,
    function_schema,
    identifier,
    line_of,
    nested_queries,
    table_name,
)


@dataclass(frozen=True, order=True)
class Unpinned:
    """A tenant table that nothing pins. line: within the text that was parsed, from 1."""

    line: int
    table: str
    why: str


def unpinned(query: exp.Expr, world: World) -> list[Unpinned]:
    """The tenant tables in a query that aren't pinned. Raises Unreadable for a query that this doesn't understand."""
    reader = _Reader(world)
    reader.read(query, Scope(None, {}))
    for table in query.find_all(exp.Table):  # a net under the walk: what it didn't come by doesn't pass
        name = table_name(table)
        if world.is_tenant(name) and id(table) not in reader.seen and not isinstance(table.parent, exp.Lock):
            reader.report(table, name, "stands where this linter doesn't look")
    return sorted(reader.found)


class _Reader:
    def __init__(self, world: World) -> None:
        self.world = world
        self.pinning = Pinning(world, self.given_quietly)
        self.found: set[Unpinned] = set()
        self.seen: set[int] = set()
        self.is_quiet = False

    def report(self, node: exp.Expr, table: str, why: str) -> None:
        if not self.is_quiet:
            self.found.add(Unpinned(line_of(node), table, why))

    @contextmanager
    def quietly(self) -> Iterator[None]:
        before, self.is_quiet = self.is_quiet, True
        yield
        self.is_quiet = before

    def given_quietly(self, query: exp.Expr, scope: Scope) -> list[Column]:
        with self.quietly():
            return self.read(query, scope)

    def read(self, query: exp.Expr, outer: Scope) -> list[Column]:
        """Reports on a query and all within it; the columns that it gives."""
        scope = Scope(outer, dict(outer.ctes))
        self.read_ctes(query, scope)
        if isinstance(query, exp.Subquery):
            return self.read(query.this, scope)
        if isinstance(query, exp.SetOperation):
            left, right = self.read(query.this, scope), self.read(query.expression, scope)
            return [(one[0], one[1] and other[1]) for one, other in zip(left, right, strict=False)]
        if isinstance(query, exp.Values):
            self.read_within(query, scope)
            rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in query.expressions]
            cells = zip(*rows, strict=False)
            return [("", all(self.pinning.is_value(cell, scope) for cell in column)) for column in cells]
        if isinstance(query, exp.Insert):
            return self.read_insert(query, scope)
        if isinstance(query, exp.Select | exp.Update | exp.Delete):
            return self.read_scope(query, scope)
        raise Unreadable(f"{query.key} is not read")

    def read_ctes(self, query: exp.Expr, scope: Scope) -> None:
        clause = query.args.get("with_")
        if clause is None:
            return
        for cte in clause.expressions:
            name, names = alias_name(cte), alias_columns(cte)
            if clause.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                # First as its start alone, then as the start and one turn: what isn't pinned by then never is.
                scope.ctes[name] = _renamed(self.given_quietly(cte.this.this, scope), names)
                scope.ctes[name] = _renamed(self.given_quietly(cte.this, scope), names)
            scope.ctes[name] = _renamed(self.read(cte.this, scope), names)

    def read_scope(self, query: exp.Select | exp.Update | exp.Delete, scope: Scope) -> list[Column]:
        if not isinstance(query, exp.Select):
            self.add(query.this, scope)
        start = query.args.get("from_")
        for source in ([start.this] if start else []) + list(query.args.get("using") or []):
            self.add(source, scope)
        self.add_joins(query, scope)
        self.settle(query, scope)
        for alias, known in scope.sources.items():
            if known.table and (alias, TENANT) not in scope.pinned:
                self.report(known.node, known.table, f"is read or written without {TENANT} pinned")
                # One finding for one hole: what is joined to this source counts as pinned from here on.
                scope.pinned.add((alias, TENANT))
                self.settle(query, scope)
        if not self.is_quiet:
            self.read_within(query, scope)
        return self.given(query.expressions if isinstance(query, exp.Select) else _returned(query), scope)

    def settle(self, query: exp.Expr, scope: Scope) -> None:
        """Follows the links until nothing new is pinned: a subselect and a lateral subquery may see more each time."""
        where = query.args.get("where")
        while scope.follow(self.pinning.links(where.this, scope) if where else set()):
            for source in scope.sources.values():
                if isinstance(source.node, exp.Lateral):
                    source.columns = self.made(source.node, scope)

    def read_insert(self, query: exp.Insert, scope: Scope) -> list[Column]:
        target = query.this.this if isinstance(query.this, exp.Schema) else query.this
        name = table_name(target)
        self.seen.add(id(target))
        if self.world.is_tenant(name) and TENANT not in map(identifier, query.this.expressions):
            self.report(target, name, f"gets a row without {TENANT} in the list of columns")
        conflict = query.args.get("conflict")
        keys = (conflict.args.get("conflict_keys") or []) if conflict else []
        if (
            keys
            and self.world.is_tenant(name)
            and TENANT not in [one.name for key in keys for one in key.find_all(exp.Column)]
        ):
            self.report(keys[0], name, f"has a conflict target without {TENANT}")
        if query.expression:
            self.read(query.expression, scope)
        alias = alias_name(target) or name.rpartition(".")[2]
        columns = [(column, column == TENANT) for column in self.world.columns(name)]
        scope.sources = {alias: Source("", columns, target)}
        scope.follow(set())
        for part in ("conflict", "returning"):
            if query.args.get(part):
                self.read_within(query.args[part], scope)
        return self.given(_returned(query), scope)

    def read_within(self, node: exp.Expr, scope: Scope) -> None:
        for query in nested_queries(node):
            self.read(query, scope)

    def add(self, node: exp.Expr, scope: Scope) -> None:
        """Takes up one source of FROM."""
        alias = alias_name(node)
        if isinstance(node, exp.Subquery) and (isinstance(node.this, exp.Table) or alias_name(node.this)):
            self.add(node.this, scope)  # a join in parentheses
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            name = table_name(node)
            self.seen.add(id(node))
            columns: list[Column] = [(column, False) for column in self.world.columns(name)]
            is_tenant = self.world.is_tenant(name) and name not in scope.ctes
            if name in scope.ctes:
                columns = scope.ctes[name]
            elif name in self.world.views:
                columns = [(TENANT, True)]  # its own query is read where it is made
            source = Source(name if is_tenant else "", _renamed(columns, alias_columns(node)), node)
            scope.sources[alias or name.rpartition(".")[2]] = source
        else:
            inner = node.this if isinstance(node, exp.Lateral) else node
            scope.sources[alias or function_name(inner)] = Source("", self.made(node, scope), node)
        self.add_joins(node, scope)

    def add_joins(self, node: exp.Expr, scope: Scope) -> None:
        for join in node.args.get("joins") or []:
            before = set(scope.sources)
            self.add(join.this, scope)
            scope.links |= self.pinning.links_of_join(join, before, scope)

    def made(self, node: exp.Expr, scope: Scope) -> list[Column]:
        """The columns of a derived table, or of a function's rows."""
        names = alias_columns(node)
        inner = node.this if isinstance(node, exp.Lateral) else node
        if isinstance(inner, exp.Subquery | exp.Values):
            return _renamed(self.given_quietly(inner, scope), names)
        if isinstance(inner, exp.Unnest):
            is_value = len(inner.expressions) == 1 and self.pinning.is_value(inner.expressions[0], scope)
            return [(name, is_value) for name in names or [alias_name(node)]]
        # A function in a schema of ours has its queries read in its own file.
        is_ours = function_schema(inner) not in ("", "pg_catalog")
        return [(name, is_ours and name == TENANT) for name in names or [TENANT]]

    def given(self, shown: list[exp.Expr], scope: Scope) -> list[Column]:
        columns: list[Column] = []
        for one in shown:
            if isinstance(one, exp.Star) or isinstance(one.this, exp.Star):
                table = identifier(one.args.get("table"))
                for alias, source in scope.sources.items():
                    if table in ("", alias):
                        columns += [(name, (alias, name) in scope.pinned) for name, _ in source.columns]
            else:
                inner = one.this if isinstance(one, exp.Alias) else one
                refs = self.pinning.refs(inner, scope)
                columns.append((one.alias_or_name, bool(refs & scope.pinned) or is_claim(inner)))
        return columns


def _returned(query: exp.Expr) -> list[exp.Expr]:
    returning = query.args.get("returning")
    return list(returning.expressions) if returning else []


def _renamed(columns: list[Column], names: list[str]) -> list[Column]:
    return [(names[index] if index < len(names) else name, pinned) for index, (name, pinned) in enumerate(columns)]
