"""One request: match, arguments, the one statement, the answer. Plain ASGI, and no business noun.

What is checked first: the path (404), the method (405); then PostgreSQL proves the key (401) and its scope (403); then
the body's size (413) and type (415), and the form of every parameter (400). A fault that is found here is answered only
after ``auth.enter`` alone has let the caller pass; everything else the function behind the route answers.
"""

import asyncio
import hashlib
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode

from psycopg.pq.abc import PGresult

from app import log, problems, values
from app.postgres import ConnectionLost, Pool, Statement, StatementFailed, Unavailable
from app.problems import Fault, Problem
from app.routes import HEADERS, Route, Table

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Values = list[bytes | None]

PREFIX = "/api/v1"
MAX_BODY = 64 * 1024
"""Octets of a request's body."""
IDEMPOTENCY_WAIT = 5.0
"""Seconds that a repeat waits for the first request under its Idempotency-Key."""

_ENTER = Statement(b"enter", b"select api.input_faults($5, $6, $7) from auth.enter($1, $2, $3, $4)")
_REQUEST_ID = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # a token: RFC 9110, section 5.6.2
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')
_PATCH_TYPES = ("application/json", "application/merge-patch+json")


class Refused(Exception):
    """The request is answered with this problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


@dataclass
class Request:
    """A request as far as it has been read."""

    id: bytes
    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    """By name in lower case; of several, joined as a list (RFC 9110, section 5.3)."""
    repeated: set[bytes]
    digest: bytes | None
    """SHA-256 of the key, in hexadecimal: the claim. None: there is no key."""
    parameters: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


@dataclass
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Api:
    """The ASGI application below PREFIX. ``table`` may be replaced while it runs."""

    def __init__(self, pool: Pool, table: Table) -> None:
        self.table = table
        self._pool = pool
        self._turns: dict[bytes, _Turn] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, and writes its line to the log."""
        started = time.perf_counter()
        request = _request(scope)
        try:
            status, headers, body = await self._answer(request, receive)
        except Refused as refusal:
            status, headers, body = self._refusal(request, refusal.problem)
        except asyncio.IncompleteReadError:
            return
        except Exception as error:
            log.write("error", request_id=request.id.decode(), message=f"{type(error).__name__}: {error}")
            status, headers, body = self._refusal(request, problems.of_word(self.table.problems, "internal"))
        headers += (
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"Authorization"),
            (b"x-request-id", request.id),
        )
        if status != 304:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})
        log.request(request.id, request.method, request.path, status, time.perf_counter() - started)

    async def _answer(self, request: Request, receive: Receive) -> tuple[int, Headers, bytes]:
        match = self.table.match(request.path[len(PREFIX) :])
        if match is None:
            raise self._refused("not_found")
        route = match.routes.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            methods = {"HEAD", *match.routes} if "GET" in match.routes else match.routes
            raise self._refused("method_not_allowed", allow=", ".join(sorted(methods)))

        body = b""
        if route.takes_body:
            word, body = await _body(request, receive)
            if word:
                await self._enter(request, route)
                raise self._refused(word, errors=request.faults)
        _read_query(request, route)
        arguments = _arguments(request, route, match.parameters, body)
        if request.faults:
            await self._refuse_input(request, route, arguments)

        key = request.headers.get(b"idempotency-key") if "idempotency_key" in route.names else None
        if key is None:
            result = await self._execute(request, route, arguments)
        else:
            result = await self._in_turn(request, route, arguments, key)
        return self._rendered(request, result)

    async def _in_turn(self, request: Request, route: Route, arguments: Values, key: bytes) -> PGresult:
        # Repeats wait here, not on a connection each. What makes them one effect is the claim in the database.
        claim = b"\n".join((request.digest or b"", route.method.encode(), request.path.encode(), key))
        turn = self._turns.setdefault(claim, _Turn())
        turn.users += 1
        began = time.monotonic()
        try:
            async with asyncio.timeout(IDEMPOTENCY_WAIT):
                await turn.lock.acquire()
            try:
                left = IDEMPOTENCY_WAIT - (time.monotonic() - began)
                arguments[route.names.index("idempotency_wait")] = b"%d" % max(1, int(left * 1000))
                return await self._execute(request, route, arguments)
            finally:
                turn.lock.release()
        except TimeoutError:
            await self._enter(request, route)
            raise self._refused("idempotency_in_progress") from None
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[claim]

    async def _execute(self, request: Request, route: Route, arguments: Values) -> PGresult:
        statement_values = (request.digest, request.id, route.scope, b"t" if route.is_read_only else b"f", *arguments)
        try:
            try:
                return await self._pool.execute(route.statement, statement_values)
            except ConnectionLost:
                if not route.is_read_only:
                    raise
                return await self._pool.execute(route.statement, statement_values)
        except StatementFailed as error:
            problem = self._problem(request, error)
            if problem.status == 400 and error.constraint:
                await self._refuse_input(request, route, arguments)
            raise Refused(problem) from None
        except ConnectionLost:
            raise self._refused("unavailable" if route.is_read_only else "outcome_unknown") from None
        except Unavailable:
            raise self._refused("unavailable") from None

    async def _enter(self, request: Request, route: Route, given: Iterable[tuple[str, str, bytes]] = ()) -> list[Fault]:
        """Lets the caller pass, or raises; gives the faults that the types find in the values given."""
        names, types, texts = (_array(column) for column in zip(*given, strict=True)) if given else (b"{}",) * 3
        enter_values = (request.digest, request.id, route.scope, b"t", names, types, texts)
        try:
            faults = (await self._pool.execute(_ENTER, enter_values)).get_value(0, 0)
        except StatementFailed as error:
            raise Refused(self._problem(request, error)) from None
        except (ConnectionLost, Unavailable):
            raise self._refused("unavailable") from None
        return json.loads(faults) if faults else []

    async def _refuse_input(self, request: Request, route: Route, arguments: Values) -> None:
        given = [
            (HEADERS.get(argument.name, argument.name), argument.type, value)
            for argument, value in zip(route.arguments, arguments, strict=True)
            if value is not None and argument.name != "body"
        ]
        request.faults += await self._enter(request, route, given)
        raise self._refused("invalid_parameter", errors=request.faults)

    def _rendered(self, request: Request, result: PGresult) -> tuple[int, Headers, bytes]:
        status_text = result.get_value(0, 0) if result.ntuples else None
        if status_text is None:
            raise self._refused("not_found")
        headers: Headers = []
        for name, value in json.loads(result.get_value(0, 1) or b"{}").items():
            if name == "Next-Cursor":
                if value is not None:
                    query = urlencode(request.parameters | {"cursor": value})
                    headers.append((b"link", f'<{request.path}?{query}>; rel="next"'.encode()))
                continue
            if name == "ETag" and request.method in ("GET", "HEAD") and _is_known(request, value):
                return 304, [(b"etag", value.encode())], b""
            headers.append((name.lower().encode(), value.encode()))
        body = result.get_value(0, 2)
        if body is not None:
            headers.append((b"content-type", b"application/json"))
        return int(status_text), headers, body or b""

    def _problem(self, request: Request, error: StatementFailed) -> Problem:
        problem = problems.of_error(
            self.table.problems, error.sqlstate, error.message, error.detail, error.hint, error.constraint
        )
        if problem.status == 500:
            log.write("error", request_id=request.id.decode(), sqlstate=error.sqlstate, message=error.message)
        return problem

    def _refused(self, word: str, *, errors: Iterable[Fault] = (), allow: str | None = None) -> Refused:
        return Refused(problems.of_word(self.table.problems, word, errors=tuple(errors), allow=allow))

    def _refusal(self, request: Request, problem: Problem) -> tuple[int, Headers, bytes]:
        headers = [(b"content-type", b"application/problem+json"), *problem.headers]
        return problem.status, headers, problem.body(request.id.decode())


def _request(scope: Scope) -> Request:
    headers: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    for name, value in scope["headers"]:
        if name in headers:
            repeated.add(name)
            value = headers[name] + b", " + value
        headers[name] = value
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    id = headers.get(b"x-request-id", b"")
    return Request(
        id=id if _REQUEST_ID.fullmatch(id) else uuid.uuid4().hex.encode(),
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        headers=headers,
        repeated=repeated,
        digest=hashlib.sha256(key.strip()).hexdigest().encode() if key and scheme.lower() == b"bearer" else None,
    )


async def _body(request: Request, receive: Receive) -> tuple[str | None, bytes]:
    """The word of what is wrong with the body, and the body."""
    length = request.headers.get(b"content-length", b"0")
    body = bytearray()
    more = int(length) <= MAX_BODY if length.isdigit() else True
    is_large = not more
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise asyncio.IncompleteReadError(bytes(body), None)
        body += message.get("body", b"")
        is_large = len(body) > MAX_BODY
        more = message.get("more_body", False) and not is_large
    if is_large:
        return "payload_too_large", b""
    media_type, _, parameters = request.headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    charset = re.fullmatch(r'\s*(?:charset\s*=\s*"?utf-?8"?)?\s*', parameters)
    if media_type.strip() not in (_PATCH_TYPES if request.method == "PATCH" else _PATCH_TYPES[:1]) or not charset:
        return "unsupported_media_type", b""
    try:
        body.decode()
    except UnicodeDecodeError:
        request.faults.append(_fault(None, "not_utf8", "The body must be UTF-8."))
        return "invalid_body", b""
    if 0 in body:
        request.faults.append(_fault(None, "nul_character", "The body has a NUL character. Leave it out."))
        return "invalid_body", b""
    return None, bytes(body)


def _read_query(request: Request, route: Route) -> None:
    for part in request.query.split(b"&") if request.query else ():
        raw_name, _, raw_value = part.replace(b"+", b" ").partition(b"=")
        try:
            name, value = unquote_to_bytes(raw_name).decode(), unquote_to_bytes(raw_value).decode()
        except UnicodeDecodeError:
            request.faults.append(_fault(None, "not_utf8", "The query must be UTF-8, with percent-encoding."))
            continue
        if name not in route.query_names:
            known = ", ".join(route.query_names)
            detail = f"There is no such parameter here. {'Known are ' + known if known else 'There is none'}."
            request.faults.append(_fault(name[:100], "unknown_parameter", detail))
        elif name in request.parameters:
            request.faults.append(_fault(name, "repeated_parameter", "This is given more than once. Give it once."))
        else:
            request.parameters[name] = value


def _arguments(request: Request, route: Route, in_path: dict[str, str], body: bytes) -> Values:
    arguments: Values = []
    for argument in route.arguments:
        name = argument.name
        value: bytes | None = argument.default
        if name == "body":
            value = body
        elif name in in_path:
            # An id that is none is somebody's typing error: the function finds no record of it.
            try:
                value = argument.read(in_path[name]).encode()
            except values.Fault:
                value = None
        elif name in HEADERS:
            header = HEADERS[name].lower().encode()
            value = request.headers.get(header)
            if value is not None:
                # Octets beyond ASCII stay what they are: Latin-1 (RFC 9110, section 5.5).
                value = value.decode("latin-1").encode()
            if header in request.repeated and name != "if_match":
                request.faults.append(_fault(HEADERS[name], "repeated_header", "This is given twice. Give it once."))
        elif name in request.parameters:
            try:
                value = argument.read(request.parameters[name]).encode()
            except values.Fault as fault:
                request.faults.append(_fault(name, fault.code, fault.detail))
        arguments.append(value)
    return arguments


def _fault(name: str | None, code: str, detail: str) -> Fault:
    return {"field": name, "code": code, "detail": detail}


def _is_known(request: Request, tag: str) -> bool:
    """Whether If-None-Match holds this tag (RFC 9110, section 13.1.2: compared weakly)."""
    known = request.headers.get(b"if-none-match")
    if known is None:
        return False
    return known.strip() == b"*" or tag in _ENTITY_TAG.findall(known.decode("latin-1"))


def _array(items: Iterable[str | bytes]) -> bytes:
    texts = (item.decode() if isinstance(item, bytes) else item for item in items)
    return values.array(texts).encode()
