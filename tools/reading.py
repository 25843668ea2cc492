"""Reads one statement for the queries in it, wherever they stand, and names what can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tools.findings import Finding
from tools.pinning import TENANT, World
from tools.placement import OF_TABLES, head, made
from tools.routines import read_routine
from tools.sqltext import Sql, Unreadable, closing, items, name_at, read_query
from tools.tenancy import unpinned

QUERIES = frozenset({"select", "insert", "update", "delete", "with", "values", "merge", "table", "("})
# Statements that read no rows.
PLAIN = frozenset(
    {"set", "reset", "begin", "commit", "notify", "lock", "grant", "revoke", "comment on", "alter default"}
)
PLAIN_THINGS = frozenset({*(f"create {thing}" for thing in OF_TABLES), "create trigger"}) | frozenset(
    f"alter {thing}" for thing in (*OF_TABLES, "function", "view")
)
PIN = f"say {TENANT} = a value or = (select auth.{TENANT}(…)), or join it to a source where that is said"
OTHERWISE = "write it otherwise, or put a line with the reason into tools/lint_allow.txt"


def read_statement(file: str, statement: Sql, world: World) -> Iterator[Finding]:
    """`tenant-not-pinned`, `dynamic-sql` and `unreadable`, for one statement of a file."""
    kind = head(statement)
    try:
        if kind in ("create function", "create procedure", "do"):
            yield from _read_routine(file, statement, world)
        elif kind == "create policy":
            yield from _read_policy(file, statement, world)
        elif kind in ("create view", "create table") and (query := _behind_as(statement)):
            yield from _read_query(file, query, world)
        elif kind == "truncate":
            yield from _read_truncate(file, statement, world)
        elif kind in QUERIES:
            yield from _read_query(file, statement, world)
        elif kind == "call" and "select" not in statement.words:
            pass
        elif kind not in PLAIN | PLAIN_THINGS and not kind.startswith("drop "):
            raise Unreadable(f"{kind} is not read")
    except Unreadable as error:
        yield Finding(file, statement.line, "unreadable", statement.digest, str(error), OTHERWISE)


def _read_query(file: str, query: Sql, world: World) -> Iterator[Finding]:
    try:
        found = unpinned(read_query(query), world)
    except Unreadable as error:
        yield Finding(file, query.line, "unreadable", query.digest, str(error), OTHERWISE)
        return
    for one in found:
        yield Finding(file, query.line + one.line - 1, "tenant-not-pinned", one.table, one.why, PIN)


def _read_routine(file: str, statement: Sql, world: World) -> Iterator[Finding]:
    routine = read_routine(statement)
    inside = replace(world, values=routine.values)
    for piece in routine.pieces:
        if piece.kind == "dynamic":
            message = "is put together when it runs"
            yield Finding(file, piece.sql.line, "dynamic-sql", piece.sql.digest, message, OTHERWISE)
        elif piece.kind == "unknown":
            message = "this statement of plpgsql is not read"
            yield Finding(file, piece.sql.line, "unreadable", piece.sql.digest, message, OTHERWISE)
        elif piece.sql.starts("truncate"):
            yield from _read_truncate(file, piece.sql, world)
        else:
            yield from _read_query(file, piece.sql, inside)


def _read_policy(file: str, statement: Sql, world: World) -> Iterator[Finding]:
    """A policy's conditions are read as the WHERE of a query on its table; its name is the finding's subject."""
    tokens, table, depth = statement.tokens, made(statement), 0
    for index, token in enumerate(tokens[:-1]):
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0 and token.word in ("using", "check") and tokens[index + 1].word == "(":
            condition = statement.between(tokens[index + 1 : closing(tokens, index + 1) + 1])
            query = Sql(f"select from {table} where {condition.text}", condition.line)
            for finding in _read_query(file, query, world):
                is_own = (finding.code, finding.subject) == ("tenant-not-pinned", table)
                policy = name_at(tokens, statement.words.index("policy") + 1)[0]
                yield (
                    replace(finding, subject=policy, message="lets rows of every organization through")
                    if is_own
                    else finding
                )


def _read_truncate(file: str, statement: Sql, world: World) -> Iterator[Finding]:
    for part in items([token for token in statement.tokens[1:] if token.word not in ("table", "only")]):
        name = name_at(part, 0)[0]
        if world.is_tenant(name):
            message = "is emptied for every organization"
            yield Finding(file, part[0].line, "tenant-not-pinned", name, message, OTHERWISE)


def _behind_as(statement: Sql) -> Sql | None:
    """The query of a `create view` or a `create table … as`."""
    depth = 0
    for token in statement.tokens:
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0 and token.word == "as":
            return statement.cut(token.end, len(statement.text))
    return None
