"""Which tables of organizations a query reads or writes without a condition on organization_id.

A table in a query is *pinned* if its organization_id equals a value (a parameter, a variable, a column of an outer
query or of a subquery in FROM, a scalar subselect) or the organization_id of a pinned table. The condition stands in
WHERE, ON or USING, for one column or in a row comparison. A condition in only one arm of an OR doesn't count, and the
ON of an outer join pins only the side whose columns may be null. tests/isolation proves that the value is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType, OnConflictAction

TENANT = "organization_id"
VALUE = ""
"""What isn't a column of one of the query's own tables."""

Link = tuple[str, str]
"""Two sources, or VALUE and a source: where the first is pinned, the second is."""

STATEMENTS = ast.SelectStmt | ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt | ast.TruncateStmt


@dataclass(frozen=True)
class Tables:
    """Tables with organization_id, and those without; by their names, with the schema."""

    tenant: frozenset[str]
    plain: frozenset[str]


@dataclass
class Scope:
    """The tables of one query: those with organization_id, by alias, and the aliases of the others."""

    tenants: dict[str, str] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    links: set[Link] = field(default_factory=set)

    def unpinned(self) -> Iterator[str]:
        """The tables that nothing pins. What is equated with one of them is no second finding."""
        pinned = {VALUE}
        for alias, table in {VALUE: "", **self.tenants}.items():
            if alias not in pinned:
                yield table
                pinned.add(alias)
            while more := {second for first, second in self.links if first in pinned} - pinned:
                pinned |= more


def unpinned(node: object, tables: Tables) -> Iterator[tuple[str, str]]:
    """The tables that a query, and each query within it, doesn't pin; with what is wrong."""
    for statement in _statements(node):
        yield from _check(statement, tables)


def _statements(node: object) -> Iterator[Any]:
    if isinstance(node, STATEMENTS):
        yield node
    if isinstance(node, ast.Node):
        node = tuple(getattr(node, name) for name in node)
    if isinstance(node, tuple):
        for child in node:
            yield from _statements(child)


def _check(statement: Any, tables: Tables) -> Iterator[tuple[str, str]]:
    if isinstance(statement, ast.MergeStmt | ast.TruncateStmt):
        relations = statement.relations if isinstance(statement, ast.TruncateStmt) else (statement.relation,)
        yield from ((name, "is not read") for name in map(_name, relations) if name in tables.tenant)
        return
    if isinstance(statement, ast.InsertStmt):
        yield from _check_insert(statement, _name(statement.relation), tables)
        return
    scope = Scope()
    if not isinstance(statement, ast.SelectStmt):
        _add(statement.relation, scope, tables)
    sources = statement.usingClause if isinstance(statement, ast.DeleteStmt) else statement.fromClause
    for source in sources or ():
        _add(source, scope, tables)
    scope.links |= _links(statement.whereClause, scope)
    for table in scope.unpinned():
        yield table, f"is read or written without {TENANT} pinned"


def _check_insert(statement: ast.InsertStmt, name: str, tables: Tables) -> Iterator[tuple[str, str]]:
    if name not in tables.tenant:
        return
    if TENANT not in [column.name for column in statement.cols or ()]:
        yield name, f"gets a row without {TENANT} in the list of columns"
    conflict = statement.onConflictClause
    if (
        conflict
        and conflict.infer
        and conflict.infer.indexElems
        and TENANT not in [e.name for e in conflict.infer.indexElems]
    ):
        yield name, f"has a conflict target without {TENANT}"
    elif conflict and conflict.action == OnConflictAction.ONCONFLICT_UPDATE and not conflict.infer:
        yield name, "has no conflict target"


def _name(table: ast.RangeVar) -> str:
    return f"{table.schemaname}.{table.relname}" if table.schemaname else str(table.relname)


def _add(node: object, scope: Scope, tables: Tables) -> set[str]:
    """Takes up a source of FROM; the aliases in it."""
    if isinstance(node, ast.JoinExpr):
        left, right = _add(node.larg, scope, tables), _add(node.rarg, scope, tables)
        links = _links(node.quals, scope)
        if TENANT in [name.sval for name in node.usingClause or ()]:
            sides = [[alias if alias in scope.tenants else VALUE for alias in side] for side in (left, right)]
            links |= _both_ways(product(*sides))
        # An outer join keeps the rows of one side whatever ON says.
        if node.jointype == JoinType.JOIN_LEFT:
            links = {link for link in links if link[1] in right}
        elif node.jointype == JoinType.JOIN_RIGHT:
            links = {link for link in links if link[1] in left}
        elif node.jointype == JoinType.JOIN_FULL:
            links = set()
        scope.links |= links
        return left | right
    if isinstance(node, ast.RangeVar):
        alias, name = (node.alias.aliasname if node.alias else node.relname), _name(node)
        if name in tables.tenant:
            scope.tenants[alias] = name
        elif name in tables.plain:
            scope.plain.add(alias)
        return {alias}
    alias = getattr(node, "alias", None)
    return {alias.aliasname} if alias else set()


def _both_ways(pairs: Iterable[tuple[str | None, ...]]) -> set[Link]:
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    return {*known, *((other, one) for one, other in known)}


def _links(condition: object, scope: Scope) -> set[Link]:
    """What is the same organization where the condition holds."""
    if isinstance(condition, ast.BoolExpr) and condition.boolop != BoolExprType.NOT_EXPR:
        parts = [_links(part, scope) for part in condition.args]
        return set.union(*parts) if condition.boolop == BoolExprType.AND_EXPR else set.intersection(*parts)
    if isinstance(condition, ast.SubLink) and condition.testexpr:
        return _both_ways([(_stands_for(condition.testexpr, scope), VALUE)])
    if not isinstance(condition, ast.A_Expr) or [part.sval for part in condition.name] != ["="]:
        return set()
    if condition.kind not in (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_IN):
        return set()
    left, right = condition.lexpr, condition.rexpr
    if isinstance(left, ast.RowExpr) and isinstance(right, ast.RowExpr):
        pairs = list(zip(left.args, right.args, strict=True))
    else:
        pairs = [(left, right)]
    return _both_ways((_stands_for(one, scope), _stands_for(other, scope)) for one, other in pairs)


def _stands_for(node: object, scope: Scope) -> str | None:
    """The alias whose organization_id an expression is; VALUE; None for what is neither."""
    if isinstance(node, ast.ColumnRef):
        names = [part.sval for part in node.fields if isinstance(part, ast.String)]
        if len(names) == 1 and names[0] == TENANT and len(scope.tenants) == 1:
            return next(iter(scope.tenants))
        if len(names) > 1 and names[0] in scope.tenants:
            return names[0] if names[1] == TENANT else None
        return None if len(names) > 1 and names[0] in scope.plain else VALUE
    if isinstance(node, ast.TypeCast):
        return VALUE if _stands_for(node.arg, scope) == VALUE else None
    # A function that stands bare runs once for each row.
    is_value = isinstance(node, ast.A_Const | ast.ParamRef | ast.A_Indirection | ast.A_ArrayExpr | ast.SubLink | tuple)
    return VALUE if is_value else None
