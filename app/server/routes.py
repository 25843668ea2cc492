"""The route table of the database as a dispatch table: which function answers, and what goes into its arguments.

A function's arguments are filled by their names: a name in the path's braces from the path; ``body`` with the request's
body, raw; ``if_match`` and ``idempotency_key`` from their headers; ``idempotency_wait`` with the milliseconds that may
still be waited; every other from the query. Their types say which texts are taken.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app import log, session
from app.server import problems, values
from app.server.postgres import Statement

HEADERS = {"if_match": "If-Match", "idempotency_key": "Idempotency-Key"}
"""The arguments that come from a header."""

CHANNEL = "leads_routes"
"""NOTIFY on this channel has the routes read again."""

_PATH = re.compile(r"(?:/(?:[^{}/]+|\{[a-z_][a-z0-9_]*\}))+")
_FUNCTION = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*")
_FIRST = 5
"""$1 to $4 are auth.enter's: digest, request id, scope, read only."""


@dataclass(frozen=True)
class Argument:
    """One argument of a route's function."""

    name: str
    type: str
    is_in_path: bool
    default: bytes | None
    read: Callable[[str], str]
    """Gives the text that PostgreSQL casts; raises values.Fault."""


@dataclass(frozen=True)
class Wait:
    """How the answer that another transaction makes is waited for: 202 until then."""

    seconds: int
    statement: Statement
    names: tuple[str, ...]
    """The names of the function's arguments, which are among the route's."""


@dataclass(frozen=True)
class Route:
    """A line of the route table."""

    method: str
    path: str
    scope: bytes | None
    is_read_only: bool
    arguments: tuple[Argument, ...]
    statement: Statement
    wait: Wait | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The arguments' names, in their order."""
        return tuple(argument.name for argument in self.arguments)

    @cached_property
    def query_names(self) -> tuple[str, ...]:
        """The arguments that come from the query."""
        elsewhere = {"body", "idempotency_wait", *HEADERS}
        return tuple(a.name for a in self.arguments if not a.is_in_path and a.name not in elsewhere)

    @cached_property
    def takes_body(self) -> bool:
        """Whether a request's body is read."""
        return "body" in self.names


@dataclass(frozen=True)
class Match:
    """What a path leads to: the routes by method, and the path's parameters."""

    routes: dict[str, Route]
    parameters: dict[str, str]


@dataclass(frozen=True)
class Table:
    """All routes and problems, and the reference of them, read together."""

    problems: problems.Table
    reference: bytes = b""
    """OpenAPI 3.1, JSON; empty: there is none for now."""
    _static: dict[str, Match] = field(default_factory=dict)
    _shapes: dict[int, dict[tuple[int, ...], dict[tuple[str, ...], tuple[dict[str, Route], tuple[str, ...]]]]] = field(
        default_factory=dict
    )
    """By how many segments a path has, which of them are parameters, and the segments with those left empty."""

    def add(self, route: Route) -> None:
        """Adds a route; one path may have several methods."""
        segments = route.path.split("/")
        holes = tuple(i for i, segment in enumerate(segments) if segment.startswith("{"))
        if not holes:
            match = self._static.setdefault(route.path, Match({}, {}))
            match.routes[route.method] = route
            return
        names = tuple(segments[i][1:-1] for i in holes)
        key = tuple("" if i in holes else segment for i, segment in enumerate(segments))
        shapes = self._shapes.setdefault(len(segments), {}).setdefault(holes, {})
        routes, known = shapes.setdefault(key, ({}, names))
        if names != known:
            raise ValueError(f"another method calls the path's parameters {', '.join(known)}")
        routes[route.method] = route

    def match(self, path: str) -> Match | None:
        """The routes at a path. A segment that could be an id may be anything but empty; a fixed path goes first."""
        found = self._static.get(path)
        if found is not None:
            return found
        segments = path.split("/")
        for holes, shapes in self._shapes.get(len(segments), {}).items():
            key = segments.copy()
            for i in holes:
                key[i] = ""
            entry = shapes.get(tuple(key))
            if entry is not None and all(segments[i] for i in holes):
                routes, names = entry
                return Match(routes, dict(zip(names, (segments[i] for i in holes), strict=True)))
        return None


def load(url: str, last_reference: bytes = b"") -> Table:
    """Reads the routes, problems and reference. Raises psycopg.Error. A line that is no good is logged and left out.

    ``last_reference`` stays where there is none to be had: without it the API serves on.
    """
    with psycopg.connect(session.address(url), autocommit=True, row_factory=dict_row) as connection:
        table = Table({row.pop("raised_by"): problems.Row(**row) for row in _rows(connection, "api.problems()")})
        left_out = []
        for row in _rows(connection, "api.routes()"):
            try:
                table.add(_route(row))
            except ValueError as error:
                log.write("error", message=f"The route {row['method']} {row['path']} is left out: {error}.")
                left_out.append((row["path"], row["method"].lower()))
        try:
            document = next(_rows(connection, "api.openapi()"))["openapi"]
            reference = _without(document, left_out)
        except (psycopg.Error, ValueError) as error:
            if connection.closed:
                raise  # all is read again
            log.write("error", message=f"The reference stays as it was: {type(error).__name__}: {error}.")
            reference = last_reference
    return replace(table, reference=reference)


def _without(document: str, left_out: Sequence[tuple[str, str]]) -> bytes:
    """The reference without the routes that aren't served. Raises ValueError: it is no JSON."""
    parsed = json.loads(document)
    if not left_out:
        return document.encode()
    for path, method in left_out:
        item = parsed["paths"].get(path, {})
        item.pop(method, None)
        if not item:
            parsed["paths"].pop(path, None)
    return json.dumps(parsed, ensure_ascii=False, separators=(",", ":")).encode()


def _rows(connection: psycopg.Connection[dict[str, Any]], function: str) -> Iterator[dict[str, Any]]:
    return iter(connection.execute(f"select * from {function}").fetchall())


def _route(row: Mapping[str, Any]) -> Route:
    function, method = row["function"], row["method"]
    if not _FUNCTION.fullmatch(function):
        raise ValueError(f'"{function}" must be written schema.function, in lower case')
    if row["is_read_only"] is None:
        raise ValueError(f"there is no function {function} that returns api.answer and that this login may execute")
    if method == "GET" and not row["is_read_only"]:
        raise ValueError(f"{function} must be STABLE, because GET only reads")
    names = {segment[1:-1] for segment in row["path"].split("/") if segment.startswith("{")}
    if not _PATH.fullmatch(row["path"]):
        raise ValueError("a parameter in the path must be a segment, and written {name}")
    if not all(argument["name"] for argument in row["arguments"] or ()):
        raise ValueError(f"{function} has an argument without a name")
    arguments = tuple(
        Argument(
            name=argument["name"],
            type=argument["type"],
            is_in_path=argument["name"] in names,
            default=None if argument["default"] is None else argument["default"].encode(),
            read=values.reader(argument["base_type"]),
        )
        for argument in row["arguments"] or ()
    )
    missing = names - {argument.name for argument in arguments}
    if missing:
        raise ValueError(f"{function} has no argument named {', '.join(sorted(missing))}")
    return Route(
        method=method,
        path=row["path"],
        scope=row["scope"].encode() if row["scope"] else None,
        is_read_only=method == "GET",
        arguments=arguments,
        statement=_statement(function, arguments),
        wait=_wait(row, {argument.name: argument for argument in arguments}),
    )


def _wait(row: Mapping[str, Any], arguments: Mapping[str, Argument]) -> Wait | None:
    if row["wait_function"] is None:
        return None
    if row["wait_arguments"] is None:
        raise ValueError(f"there is no function {row['wait_function']} that only reads and returns api.answer")
    names = tuple(row["wait_arguments"])
    if unknown := set(names) - set(arguments):
        raise ValueError(f"{row['function']} has no argument named {', '.join(sorted(unknown))}")
    statement = _statement(row["wait_function"], [arguments[name] for name in names])
    return Wait(row["wait_seconds"], statement, names)


def _statement(function: str, arguments: Sequence[Argument]) -> Statement:
    placeholders = ", ".join(f"${_FIRST + i}" for i in range(len(arguments)))
    # offset 0 is a fence: without it the function may run once for each column.
    text = (
        "select (a.r).status, (a.r).headers, (a.r).body "
        f"from (select {function}({placeholders}) as r from auth.enter($1, $2, $3, $4) offset 0) as a"
    ).encode()
    types = ",".join(argument.type for argument in arguments).encode()
    # Of the types too: a statement that is prepared keeps those that the function had then.
    return Statement(hashlib.sha256(text + types).hexdigest()[:32].encode(), text)
