"""The routes, as the server looks them up: which function answers a request,
and what its arguments are.

A function's arguments are filled by their names. A name in braces in the path comes from the path.
``body`` is the request's body, unchanged, except that CSV becomes JSON (app/csv_rows.py). If it has a
default, an empty body stands for it, of any media type.
``payload`` is a body of any media type as text (app/server/payload.py). ``media_type`` is the type of
either, without its parameters. ``if_match`` and ``idempotency_key`` come from their headers, and
``request_headers`` is a JSON object of all headers. ``client_address`` is the IP address of the
client. ``query_fields`` is the query as the fields of a form: it may have any names.
``idempotency_wait`` is the number of milliseconds that the function may still wait.
``new_secret``, ``sealed_secret`` and ``sealing_key`` are a new secret (app/server/new_secret.py).
Every other argument comes from the query. An argument's type decides which texts are accepted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from app.server import problems
from app.server.postgres import Statement
from app.server.values import Reader, text_list

HEADERS = {"if_match": "If-Match", "idempotency_key": "Idempotency-Key"}
"""The arguments that come from a header."""

SECRET = ("new_secret", "sealed_secret", "sealing_key")
"""The arguments that are a new secret."""

_ELSEWHERE = {
    *("body", "payload", "media_type", "request_headers", "client_address", "query_fields", "idempotency_wait"),
    *HEADERS,
    *SECRET,
}
"""The arguments that come neither from the path nor from the query."""

_PARAMETER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True)
class Argument:
    """One argument of a route's function."""

    name: str
    type: str
    is_in_path: bool
    default: bytes | None
    read: Reader
    function: str = ""
    """The function of the database that reads the text. Empty: the text is cast."""


@dataclass(frozen=True)
class Wait:
    """How to wait for an answer that another transaction makes.
    Until it is there, the statement answers 202.
    """

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
    media_types: tuple[str, ...] = ("application/json",)
    max_body_bytes: int = 64 * 1024
    key_parameter: str | None = None
    """The parameter of the path that is the key. None: the key is in the header Authorization."""
    is_streamed: bool = False
    """Whether the function is called again with each cursor that it returns."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Headers that each response has: that the route is deprecated."""

    @cached_property
    def label(self) -> tuple[str, str]:
        """The method and the path, as the metrics name the route."""
        return self.method, self.path

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The arguments' names, in their order."""
        return tuple(argument.name for argument in self.arguments)

    @cached_property
    def query_names(self) -> tuple[str, ...]:
        """The arguments that come from the query."""
        elsewhere = {*_ELSEWHERE, "cursor"} if self.is_streamed else _ELSEWHERE  # the server's own cursor
        return tuple(a.name for a in self.arguments if not a.is_in_path and a.name not in elsewhere)

    @cached_property
    def list_names(self) -> frozenset[str]:
        """The arguments that are lists."""
        return frozenset(argument.name for argument in self.arguments if argument.read is text_list)

    @cached_property
    def takes_body(self) -> bool:
        """Whether the request's body is read."""
        return "body" in self.names or self.takes_payload

    @cached_property
    def needs_body(self) -> bool:
        """Whether a request must have a body. Otherwise an empty one stands for the argument's default."""
        return all(argument.default is None for argument in self.arguments if argument.name == "body")

    @cached_property
    def makes_secret(self) -> bool:
        """Whether the function gets a new secret."""
        return "sealed_secret" in self.names

    @cached_property
    def takes_payload(self) -> bool:
        """Whether the request's body may be of any media type."""
        return "payload" in self.names


@dataclass(frozen=True)
class Match:
    """What a path leads to: the routes by method, and the path's parameters."""

    routes: Mapping[str, Route]
    parameters: Mapping[str, str]

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the path has. A GET also answers HEAD."""
        return _with_head(self.routes)


@dataclass(frozen=True)
class SealingKey:
    """A public key (X25519) to which secrets are sealed, and its id."""

    id: str
    public_key: bytes


@dataclass(frozen=True)
class Table:
    """All routes and problems, and the reference of them, read together.
    Nothing changes a table.
    """

    problems: problems.Table
    reference: bytes = b""
    """OpenAPI 3.1, JSON. Empty: there is none at the moment."""
    sealing_key: SealingKey | None = None
    """None: no worker has announced one."""
    fixed: Mapping[str, Match] = field(default_factory=dict)
    """The paths without parameters."""
    patterns: Mapping[str, tuple[re.Pattern[str], Mapping[str, Route]]] = field(default_factory=dict)
    """The paths with parameters, by the path with empty braces.
    The first one that matches is taken.
    """

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """The methods of all routes."""
        routes = (*(match.routes for match in self.fixed.values()), *(routes for _, routes in self.patterns.values()))
        return _with_head(chain.from_iterable(routes))

    def match(self, path: str) -> Match | None:
        """The routes of a path. A parameter matches a segment that isn't empty.
        Fixed paths take precedence.
        """
        match = self.fixed.get(path)
        if match is not None:
            return match
        for pattern, routes in self.patterns.values():
            segments = pattern.fullmatch(path)
            if segments is not None:
                return Match(routes, segments.groupdict())
        return None

    def with_route(self, route: Route) -> "Table":
        """This table and a route more. Raises ValueError if another method names the path's
        parameters differently.
        """
        names = _PARAMETER.findall(route.path)
        if not names:
            known = self.fixed[route.path].routes if route.path in self.fixed else {}
            return replace(self, fixed={**self.fixed, route.path: Match({**known, route.method: route}, {})})
        if len(set(names)) < len(names):
            raise ValueError("two parameters in the path have the same name")
        shape = _PARAMETER.sub("{}", route.path)
        pattern, routes = self.patterns.get(shape, (_pattern(route.path), {}))
        if list(pattern.groupindex) != names:
            raise ValueError(f"another method calls the path's parameters {', '.join(pattern.groupindex)}")
        patterns = {**self.patterns, shape: (pattern, {**routes, route.method: route})}
        # A segment that is fixed takes precedence over a parameter.
        shapes = sorted(patterns, key=lambda each: [segment == "{}" for segment in each.split("/")])
        return replace(self, patterns={each: patterns[each] for each in shapes})


def _with_head(methods: Iterable[str]) -> tuple[str, ...]:
    every = set(methods)
    return tuple(sorted(every | {"HEAD"} if "GET" in every else every))


def _pattern(path: str) -> re.Pattern[str]:
    # split gives the fixed parts and the parameters' names in turn
    parts = _PARAMETER.split(path)
    return re.compile("".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts)))
