"""One request: match, arguments, the one statement, the answer. Plain ASGI, and no business noun.

What is checked first: the path (404), the method (405); then PostgreSQL proves the key (401) and its scope (403); then
the body's size (413) and type (415), and the form of body and parameters (400). A fault that is found here is answered
only after ``auth.enter`` alone has let the caller pass; everything else the function behind the route answers.
"""

import asyncio
import json
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from psycopg.pq.abc import PGresult

from app import log
from app.server import problems, values
from app.server.postgres import ConnectionLost, Pool, Statement, StatementFailed, Unavailable
from app.server.problems import Fault, Problem
from app.server.request import Receive, Request, Scope, Values, read_arguments, read_body, read_query, read_request
from app.server.routes import HEADERS, Route, Table, Wait

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PREFIX = "/api/v1"
IDEMPOTENCY_WAIT = 5.0
"""Seconds that a repeat waits for the first request under its Idempotency-Key."""

WAIT_PAUSE = 0.05
"""Seconds before an answer that another transaction makes is asked for the first time."""

_ENTER = Statement(b"enter", b"select api.input_faults($5, $6, $7) from auth.enter($1, $2, $3, $4)")
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


class Refused(Exception):
    """The request is answered with this problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


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
        request = read_request(scope)
        try:
            status, headers, body = await self._answer(request, receive)
        except Refused as refusal:
            status, headers, body = _refusal(request, refusal.problem)
        except asyncio.IncompleteReadError:
            return
        except Exception as error:
            log.write("error", request_id=request.id.decode(), message=f"{type(error).__name__}: {error}")
            status, headers, body = _refusal(request, problems.of_word(self.table.problems, "internal"))
        headers += common_headers(request.id)
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

        body = None
        if route.takes_body:
            word, body = await read_body(request, receive)
            if word:
                await self._enter(request, route)
                raise self._refused(word)
        if request.query:
            read_query(request, route)
        arguments = read_arguments(request, route, match.parameters, body)
        if request.faults:
            await self._refuse_input(request, route, arguments)

        key = request.headers.get(b"idempotency-key") if "idempotency_key" in route.names else None
        if key is None:
            result = await self._execute(request, route, arguments)
        else:
            result = await self._in_turn(request, route, arguments, key)
        if route.wait is not None:
            result = await self._awaited(request, route, route.wait, arguments, result)
        return self._rendered(request, result)

    async def _awaited(
        self, request: Request, route: Route, wait: Wait, arguments: Values, result: PGresult
    ) -> PGresult:
        """The answer that another transaction makes, or the latest 202. Between the questions nothing is held."""
        given = dict(zip(route.names, arguments, strict=True))
        entering = (request.digest, request.id, route.scope, b"t")
        values = (*entering, *(given[name] for name in wait.names))
        began = time.monotonic()
        pause = WAIT_PAUSE
        while result.ntuples and result.get_value(0, 0) == b"202":
            left = began + wait.seconds - time.monotonic()
            if left <= 0 or _retry_after(result) > max(left, 1.0):
                break
            # Longer each time, and never all at once: 200 that wait are no load.
            await asyncio.sleep(min(pause * random.uniform(0.8, 1.2), left))
            pause *= 1.5
            try:
                result = await self._ask(wait.statement, values, is_read_only=True)
            except StatementFailed as error:
                raise Refused(self._problem(request, error)) from None
            except Refused:
                # The database is busy. What was begun goes on.
                continue
        return result

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
                if "idempotency_wait" in route.names:
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
        entering = (request.digest, request.id, route.scope, b"t" if route.is_read_only else b"f")
        try:
            return await self._ask(route.statement, (*entering, *arguments), is_read_only=route.is_read_only)
        except StatementFailed as error:
            problem = self._problem(request, error)
            if problem.status == 400 and error.constraint:
                # A domain's: PostgreSQL stops at the first.
                await self._refuse_input(request, route, arguments)
            raise Refused(problem) from None

    async def _enter(self, request: Request, route: Route, given: Iterable[tuple[str, str, bytes]] = ()) -> list[Fault]:
        """Lets the caller pass, or raises; gives the faults that the types find in the values given."""
        names, types, texts = (_array(column) for column in zip(*given, strict=True)) if given else (b"{}",) * 3
        entering = (request.digest, request.id, route.scope, b"t")
        try:
            result = await self._ask(_ENTER, (*entering, names, types, texts), is_read_only=True)
        except StatementFailed as error:
            raise Refused(self._problem(request, error)) from None
        faults: list[Fault] = json.loads(result.get_value(0, 0) or b"[]")
        return faults

    async def _ask(self, statement: Statement, given: Sequence[bytes | None], *, is_read_only: bool) -> PGresult:
        """Runs the statement, and once more where the connection was lost and it only reads. Raises StatementFailed."""
        try:
            try:
                return await self._pool.execute(statement, given)
            except ConnectionLost:
                if not is_read_only:
                    raise
                return await self._pool.execute(statement, given)
        except ConnectionLost:
            raise self._refused("unavailable" if is_read_only else "outcome_unknown") from None
        except Unavailable:
            raise self._refused("unavailable") from None

    async def _refuse_input(self, request: Request, route: Route, arguments: Values) -> None:
        given = [
            (HEADERS.get(argument.name, argument.name), argument.type, value)
            for argument, value in zip(route.arguments, arguments, strict=True)
            if value is not None
        ]
        faults = request.faults + await self._enter(request, route, given)
        if faults:
            is_body = route.takes_body and all(fault["field"] == "body" for fault in faults)
            raise self._refused("invalid_body" if is_body else "invalid_parameter", errors=faults)

    def _rendered(self, request: Request, result: PGresult) -> tuple[int, Headers, bytes]:
        status_text = result.get_value(0, 0) if result.ntuples else None
        if status_text is None:
            raise self._refused("not_found")
        headers: Headers = []
        for name, value in json.loads(result.get_value(0, 1) or b"{}").items():
            if value is None:
                continue
            if name == "Next-Cursor":
                query = urlencode(request.parameters | {"cursor": value})
                headers.append((b"link", f'<{quote(request.path)}?{query}>; rel="next"'.encode()))
                continue
            if name == "ETag" and request.method in ("GET", "HEAD") and _is_known(request, value):
                return 304, [(b"etag", value.encode())], b""
            headers.append((name.lower().encode(), str(value).encode()))
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


def common_headers(request_id: bytes) -> Headers:
    """The headers that every answer has."""
    return [(b"cache-control", b"private, no-cache"), (b"vary", b"Authorization"), (b"x-request-id", request_id)]


def _refusal(request: Request, problem: Problem) -> tuple[int, Headers, bytes]:
    headers = [(b"content-type", b"application/problem+json"), *problem.headers]
    return problem.status, headers, problem.body(request.id.decode())


def _is_known(request: Request, tag: str) -> bool:
    """Whether If-None-Match holds this tag (RFC 9110, section 13.1.2: compared weakly)."""
    known = request.headers.get(b"if-none-match")
    if known is None:
        return False
    return known.strip() == b"*" or tag in _ENTITY_TAG.findall(known.decode("latin-1"))


def _retry_after(result: PGresult) -> float:
    return float(json.loads(result.get_value(0, 1) or b"{}").get("Retry-After", 0))


def _array(items: Iterable[str | bytes]) -> bytes:
    texts = (item.decode() if isinstance(item, bytes) else item for item in items)
    return values.array(texts).encode()
