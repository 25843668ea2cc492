"""Reading the route table from the database.

A route that can't be served is logged and left out. The others are served.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from email.utils import format_datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app import log, session
from app.server import problems, values
from app.server.postgres import SHORT, Statement
from app.server.routes import SECRET, Argument, Route, SealingKey, Table, Wait

CHANNEL = "leads_routes"
"""The database notifies this channel when the routes have changed."""

_PATH = re.compile(r"(?:/(?:[^{}/]+|\{[a-z_][a-z0-9_]*\}))+")
_FUNCTION = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*")
_FIRST = 5
"""The number of the function's first parameter.
$1 to $4 are auth.enter's: digest, request id, scope, read only.
"""


def load(url: str, last_reference: bytes = b"") -> Table:
    """Reads the routes, problems and reference. Raises psycopg.Error.

    If the database can't make the reference, ``last_reference`` stays:
    the API doesn't need it to serve.
    """
    with psycopg.connect(session.address(url), autocommit=True, row_factory=dict_row) as connection:
        table = Table({row.pop("raised_by"): problems.Row(**row) for row in _rows(connection, "api.problems()")})
        missing = []
        for row in _rows(connection, "api.routes()"):
            try:
                table = table.with_route(_route(row))
            except ValueError as error:
                log.write("error", message=f"The route {row['method']} {row['path']} is left out: {error}.")
                missing.append((row["path"], row["method"].lower()))
        key = next((SealingKey(**row) for row in _rows(connection, "api.sealing_key()")), None)
        try:
            document = next(_rows(connection, "api.openapi()"))["openapi"]
            reference = _without(document, missing)
        except (psycopg.Error, ValueError) as error:
            if connection.closed:
                raise  # everything is read again
            log.write("error", message=f"The reference stays as it was: {type(error).__name__}: {error}.")
            reference = last_reference
    return replace(table, reference=reference, sealing_key=key)


def _without(document: str, missing: Sequence[tuple[str, str]]) -> bytes:
    """The reference without the routes that aren't served. Raises ValueError if it isn't JSON."""
    parsed = json.loads(document)
    if not missing:
        return document.encode()
    for path, method in missing:
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
    reads = method in ("GET", "OPTIONS")
    if reads and not row["is_read_only"]:
        raise ValueError(f"{function} must be STABLE, because {method} only reads")
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
            read=values.text if argument["name"] in SECRET else values.reader(argument["base_type"]),
            function=values.FUNCTIONS.get(argument["base_type"], ""),
        )
        for argument in row["arguments"] or ()
    )
    missing = names - {argument.name for argument in arguments} - {row["key_parameter"]}
    if missing:
        raise ValueError(f"{function} has no argument named {', '.join(sorted(missing))}")
    if row["is_streamed"] and (method != "GET" or "cursor" not in {argument.name for argument in arguments}):
        raise ValueError("a route that is streamed must be a GET, and its function needs the argument cursor")
    return Route(
        method=method,
        path=row["path"],
        scope=row["scope"].encode() if row["scope"] else None,
        is_read_only=reads,
        arguments=arguments,
        statement=_statement(function, arguments, row["timeout_seconds"]),
        wait=_wait(row, {argument.name: argument for argument in arguments}),
        media_types=tuple(row["media_types"]),
        max_body_bytes=row["max_body_bytes"],
        key_parameter=row["key_parameter"],
        is_streamed=row["is_streamed"],
        headers=_headers(row),
    )


def _headers(row: Mapping[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of a route that is deprecated: RFC 9745 and RFC 8594."""
    headers = []
    if row["deprecated_at"] is not None:
        headers.append(("deprecation", f"@{int(row['deprecated_at'].timestamp())}"))
    if row["sunset_at"] is not None:
        headers.append(("sunset", format_datetime(row["sunset_at"].astimezone(UTC), usegmt=True)))
    if row["deprecation_link"] is not None:
        headers += [("link", f'<{row["deprecation_link"]}>; rel="{name}"') for name, _ in headers]
    return tuple((name.encode(), value.encode()) for name, value in headers)


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


def _statement(function: str, arguments: Sequence[Argument], seconds: int = SHORT) -> Statement:
    placeholders = ", ".join(f"{argument.function}(${i})" for i, argument in enumerate(arguments, _FIRST))
    # Without offset 0 the planner may merge the queries and run the function once for each column.
    text = (
        "select (a.r).status, (a.r).headers, (a.r).body "
        f"from (select {function}({placeholders}) as r from auth.enter($1, $2, $3, $4) offset 0) as a"
    ).encode()
    types = ",".join(argument.type for argument in arguments).encode()
    # The name covers the types too, because a prepared statement keeps the types that the function
    # had.
    return Statement(hashlib.sha256(text + types).hexdigest()[:32].encode(), text, max(seconds, SHORT), function)
