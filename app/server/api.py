"""Answers a request: find the route, parse the request, run its one statement, write the response.
Plain ASGI.

The order of the checks: the path (404) and the method (405); the key (401), its rate limit (429) and
its scope (403). PostgreSQL checks the key and the scope; the rate limit of a key that was valid before
is checked before that. Then the body's size (413) and type (415); the form of the body and of the
parameters (400). If the server itself finds an error of form, it first asks PostgreSQL for
``auth.enter`` alone, so that only a caller with a valid key sees the error. All other errors come
from the function.

Each step returns its result or a Problem, which is then the response.
"""

import asyncio
import contextlib
import functools
import json
import random
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from psycopg.pq.abc import PGresult

from app import log
from app.server import problems, replicas
from app.server.addresses import Network, client_address
from app.server.body import fault_of_json
from app.server.limits import Limits
from app.server.locks import LOCK_PATIENCE, LOCK_WAIT, Claim, LockQueue, is_locked
from app.server.memory import SMALL_BODY, Memory
from app.server.new_secret import NewSecret
from app.server.postgres import (
    PATIENCE,
    PRESENT,
    Beside,
    ConnectionLost,
    Pool,
    Statement,
    StatementAbandoned,
    StatementFailed,
    Timing,
)
from app.server.problems import FieldError, Problem
from app.server.queue import ANYBODY, ClientGone, Unavailable
from app.server.replicas import Replicas
from app.server.request import (
    Call,
    Receive,
    Refusal,
    Request,
    Scope,
    most_bytes,
    parse,
    read_body,
    read_payload,
    read_request,
    take_key,
)
from app.server.routes import HEADERS, Match, Route, Table, Wait
from app.server.stream import CutOff, Stream
from app.server.totals import UNMATCHED, Totals
from app.server.uses import KeyUses
from app.server.values import array

if TYPE_CHECKING:
    from app.server.traces import Traces

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Response = tuple[int, Headers, bytes]
"""Status, headers and body."""

PREFIX = "/api/v1"
OPEN_PREFIX = "/in"
"""The routes below this path are also served without PREFIX. Their keys are in their paths, and pages
of other origins call them.
"""
KNOWN_KEYS = 10_000
"""Keys that have a part of the connections of their own."""
WAIT_PAUSE = 0.05
"""Seconds before the first question whether another transaction has made the answer."""
STREAMS = 4
"""Streamed responses that a key may have at once, because each holds the memory of two pages."""
ANNOUNCEMENT_PAUSE = 0.005
"""Seconds before the second question whether a new key is announced."""
ANNOUNCEMENT_PATIENCE = 5.0
"""Seconds after which the response with a new key is sent although the router does not know the key."""
PAGE_PAUSES = (0.1, 0.3, 1.0, 3.0, 5.0)
"""Seconds before a page that could not be read is read again."""

_ENTER = Statement(
    b"enter", b"select api.input_faults($5, $6, $7) from auth.enter($1, $2, $3, $4)", function="api.input_faults"
)
_ANNOUNCED = Statement(b"announced", b"select auth.is_announced($1, $2)", function="auth.is_announced")
_CALLER = Statement(b"caller", b"select auth.caller() from auth.enter($1, $2, $3, $4)", function="auth.caller")
_quoted = functools.lru_cache(1000)(quote)
_encoded = functools.lru_cache(100)(urlencode)
_NO_HEADER = re.compile(rb"^[^:]*[^!#$%&'*+.^_`|~0-9A-Za-z:-]|^:|[\x00-\x08\x0a-\x1f\x7f]")
"""Matches a name that isn't a token, or a value with a control character (RFC 9110, section 5)."""
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


@dataclass
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Api:
    """The ASGI application below PREFIX. ``table`` may be replaced while it runs."""

    def __init__(
        self,
        pool: Pool,
        table: Table,
        trusted_proxies: Sequence[Network] = (),
        *,
        server_timing: bool = True,
        limits: Limits | None = None,
        replicas: Replicas | None = None,
        admin_reads_replicas: bool = True,
    ) -> None:
        """limits: the rate limits of the keys. None: there are none. replicas: None: the primary answers
        all reads. admin_reads_replicas: whether requests with an admin key may go to a replica.
        """
        self.table = table
        self._server_timing = server_timing
        self._trusted_proxies = trusted_proxies
        self._limits = limits
        self._pool = pool
        self._replicas = replicas
        self._admin_reads_replicas = admin_reads_replicas
        self._admins: dict[bytes | None, bool] = {}
        """Whether a key has the scope admin, by its digest."""
        self.totals: Totals | None = None
        """Where the requests are counted. None: nowhere."""
        self.traces: Traces | None = None
        """Where the spans of the requests go. None: nowhere."""
        self._locks = LockQueue(pool.size, pool.queue)
        self._memory = Memory()
        self._turns: dict[bytes, _Turn] = {}
        self._known: dict[bytes | None, None] = {}
        """The digests of keys that were valid at their last use."""
        self._callers: dict[bytes | None, str] = {}
        """The organization and the key, as the log shows them, by the digest of the key."""
        self.uses = KeyUses(pool)
        self._streams: dict[bytes | None, int] = {}
        """The number of streamed responses by the digest of their key."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request of ASGI."""
        response = await self.respond(scope, receive)
        if isinstance(response, Stream):
            stream, client = response, scope.get("leads.client", PRESENT)

            async def begin() -> None:
                await send({"type": "http.response.start", "status": stream.status, "headers": stream.headers})

            async def write(page: bytes) -> bool:
                await send({"type": "http.response.body", "body": page, "more_body": True})
                return not client.is_gone

            if await stream.send(begin, write):
                await send({"type": "http.response.body", "body": b""})
        elif response is not None:
            status, headers, body = response
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def respond(self, scope: Scope, receive: Receive) -> Response | Stream | None:
        """The whole response to one request. Writes the request's line to the log. None: the client
        has disconnected. Stream: the caller must send it, which writes the line.
        """
        request = read_request(scope)
        cause: Mapping[str, str] | None = None
        try:
            if self.traces is not None:
                self.traces.begin(request)
            response = await self._answer(request, receive)
        except asyncio.IncompleteReadError:
            return None  # the client has disconnected
        except ClientGone:
            response = self._problem("unavailable", reason="The client has disconnected.")
        except asyncio.CancelledError as error:
            response = self._cancelled(error)
        except Exception as error:
            log.failure("The request failed.", error, request_id=request.id.decode())
            response = self._problem("internal")
        if isinstance(response, Problem):
            content_type = (b"content-type", b"application/problem+json")
            body = response.body(request.id.decode())
            cause = response.cause
            response = response.status, [content_type, *response.headers], body
        timing = _server_timing(request.timing) if self._server_timing else ()
        if isinstance(response, Stream):
            response.headers += (*common_headers(request.id), *timing, *request.added_headers)
            return response
        status, headers, body = response
        headers += (*common_headers(request.id), *timing, *request.added_headers)
        if request.position is not None:
            headers.append((replicas.HEADER, request.position))
        if status != 304:
            headers.append((b"content-length", b"%d" % len(body)))
        self._end(request, status, cause)
        return status, headers, b"" if request.method == "HEAD" else body

    def _end(self, request: Request, status: int, cause: Mapping[str, str] | None) -> None:
        """Counts the request, and writes its line."""
        seconds = time.perf_counter() - request.started
        route, timing = request.route, request.timing
        if self.totals is not None:
            self.totals.add_request(UNMATCHED if route is None else route.label, status, seconds)
        caller = self._callers.get(request.digest, log.NOBODY)
        if self.traces is not None:
            self.traces.end(request, status, caller)
        log.request(
            request.id,
            request.method,
            request.shown_path,
            status,
            seconds,
            route=None if route is None else route.path,
            caller=caller,
            database=timing.database,
            wait=timing.wait,
            trace_id=request.trace_id,
            cause=cause,
            replica=request.replica,
        )

    @property
    def gauges(self) -> dict[str, float]:
        """What happens at this moment, for the metrics."""
        gauges = {**self._pool.gauges, "lock_waiting": self._locks.waiting}
        return gauges if self._replicas is None else gauges | self._replicas.gauges

    async def _answer(self, request: Request, receive: Receive) -> Response | Stream | Problem:
        match = self.table.match(request.path.removeprefix(PREFIX))
        if match is None:
            return self._problem("not_found")
        route = match.routes.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            return self._problem("method_not_allowed", allow=", ".join(match.methods))
        request.route = route
        request.added_headers = route.headers

        if route.key_parameter is not None:
            take_key(request, match.parameters[route.key_parameter])
        # Before a connection is taken. The key of the first request must be checked first.
        if self._limits is not None and (problem := self._refuse_excess(request, self._limits)):
            return problem
        size = most_bytes(request, route) if route.takes_body else 0
        if size <= SMALL_BODY or route.max_body_bytes <= SMALL_BODY:
            return await self._answer_call(request, route, match, receive)
        # Only a caller with a valid key takes a part of the memory for large bodies.
        checked = await self._check(request, route)
        if isinstance(checked, Problem):
            return checked
        async with self._memory.reserved(request.digest or b"", min(size, route.max_body_bytes)) as is_reserved:
            if not is_reserved:
                return self._problem("unavailable", reason="Other uploads occupy the memory for bodies.")
            return await self._answer_call(request, route, match, receive)

    async def _answer_call(
        self, request: Request, route: Route, match: Match, receive: Receive
    ) -> Response | Stream | Problem:
        body: bytes | Refusal | None = None
        if route.takes_body:
            body = await (read_payload if route.takes_payload else read_body)(request, route, receive)
        if isinstance(body, Refusal):
            return await self._refuse(request, route, body)
        call = parse(request, route, match.parameters, body, self._client_address(request, route))
        if isinstance(call, Refusal):
            return await self._refuse(request, route, call)
        if self._replicas is not None and route.is_read_only and replicas.HEADER in request.headers:
            positions = replicas.read_positions(request.headers[replicas.HEADER])
            if positions is None:
                return await self._refuse(request, route, Refusal("invalid_position"))
            request.positions = positions

        if route.is_streamed:
            return await self._stream(request, route, call)
        secret = None
        if route.makes_secret:
            if self.table.sealing_key is None:
                return await self._refuse(request, route, Refusal("no_sealing_key"))
            secret = NewSecret.sealed_to(self.table.sealing_key)
            secret.put_into(call.arguments, route.names)
        key = request.headers.get(b"idempotency-key") if "idempotency_key" in route.names else None
        if key is None:
            result = await self._run(request, route, call)
        else:
            result = await self._run_in_turn(request, route, call, key)
        if route.wait is not None and not isinstance(result, Problem):
            result = await self._wait(request, route, route.wait, call, result)
        if isinstance(result, Problem):
            return result
        response = self._respond(request, call, result)
        if request.unannounced is not None:
            await self._wait_for_announcement(request, request.unannounced)
        if secret is None or isinstance(response, Problem):
            return response
        status, headers, body = response
        return status, headers, secret.shown_in(body)

    async def _wait_for_announcement(self, request: Request, ids: tuple[bytes, bytes]) -> None:
        """Waits until the router of the cells knows the new key that the response shows, so that the client
        can use it at once. The key is stored already and is shown once, so the response is sent in any case.
        """
        end = time.monotonic() + ANNOUNCEMENT_PATIENCE
        pause = ANNOUNCEMENT_PAUSE
        # If the server is stopping, the response is sent at once.
        with contextlib.suppress(asyncio.CancelledError):
            while time.monotonic() < end:
                # A database that is busy is asked again.
                with contextlib.suppress(Unavailable, ConnectionLost, StatementFailed):
                    caller = request.digest or ANYBODY
                    result = await self._pool.execute(_ANNOUNCED, ids, caller=caller, is_read_only=True)
                    if result.get_value(0, 0) == b"t":
                        return
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 0.2)
        log.write(
            "warning",
            request_id=request.id.decode(),
            message="The response shows a key that the router does not know yet. Look at leads cells sync.",
        )

    def _refuse_excess(self, request: Request, limits: Limits) -> Problem | None:
        """The problem of a request that is over the rate limit of its key. A key that is not known to be
        valid has no limit yet: nobody can use up the places, or the limit of a key that they don't have.
        """
        digest, now = request.digest, int(request.started * 1e9)
        if digest is None or not (digest in self._known or limits.knows(digest, now)):
            return None
        request.is_counted = True
        headers, seconds = limits.take(digest, now)
        request.added_headers += headers
        if seconds is None:
            return None
        what = "form" if request.has_key_in_path else "key"
        detail = f"This {what} may send {limits.per_minute} requests per minute. Try again in {seconds} s."
        problem = problems.of_word(self.table.problems, "rate_limited", detail=detail)
        retry_after = ((b"retry-after", b"%d" % seconds),)
        return replace(problem, headers=retry_after, cause={"reason": f"The {what} is over its rate limit."})

    def _client_address(self, request: Request, route: Route) -> bytes | None:
        if "client_address" not in route.names:
            return None
        address = client_address(request.peer, request.headers.get(b"x-forwarded-for"), self._trusted_proxies)
        return None if address is None else address.encode()

    async def _refuse(self, request: Request, route: Route, refusal: Refusal) -> Problem:
        """The problem of a request of the wrong form.
        A caller without a valid key gets that problem instead.
        """
        errors = await self._check(request, route, refusal.arguments)
        if isinstance(errors, Problem):
            return errors
        if refusal.word is not None:
            problem = problems.of_word(self.table.problems, refusal.word, detail=refusal.detail)
            return replace(problem, headers=[*problem.headers, *refusal.headers])
        return self._invalid(route, [*refusal.errors, *errors])

    async def _run(self, request: Request, route: Route, call: Call) -> PGresult | Problem:
        """Runs the route's function."""
        entering = (request.digest, request.context, route.scope, b"t" if route.is_read_only else b"f")
        parameters = (*entering, *call.arguments)
        result: PGresult | StatementFailed | Problem | Refusal
        if self._replicas is None:
            result = await self._query(request, route.statement, parameters, is_read_only=route.is_read_only)
        else:
            result = await self._query_anywhere(request, route, parameters, self._replicas)
        if isinstance(result, Refusal):
            return await self._refuse(request, route, result)
        if not isinstance(result, StatementFailed):
            return result
        problem = self._problem_of(request, result, is_read_only=route.is_read_only)
        if result.sqlstate == "22P02" and "body" in route.names:
            body = call.arguments[route.names.index("body")]
            if body is not None and (fault := await asyncio.to_thread(fault_of_json, body)):
                return replace(problem, errors=[FieldError("body", "invalid_json", fault)])
        if problem.status == 400 and result.constraint:
            # PostgreSQL stops at the first value that breaks its domain.
            # The response lists all of them.
            errors = await self._check(request, route, call.arguments)
            if isinstance(errors, Problem):
                return errors
            if errors:
                return replace(self._invalid(route, errors), cause=problem.cause)
        return problem

    async def _run_in_turn(self, request: Request, route: Route, call: Call, key: bytes) -> PGresult | Problem:
        """Runs the route's function after the earlier requests with the same Idempotency-Key.

        They wait here so that they occupy no connection.
        The claim in the database is what makes them one effect.
        """
        claim = b"\n".join((request.digest or b"", route.method.encode(), request.path.encode(), key))
        turn = self._turns.setdefault(claim, _Turn())
        turn.users += 1
        try:
            async with asyncio.timeout(LOCK_PATIENCE):
                await turn.lock.acquire()
            try:
                if request.client.is_gone:
                    raise ClientGone
                if "idempotency_wait" in route.names:
                    call.arguments[route.names.index("idempotency_wait")] = b"%d" % LOCK_WAIT
                return await self._run(request, route, call)
            finally:
                turn.lock.release()
        except TimeoutError:
            errors = await self._check(request, route)
            return errors if isinstance(errors, Problem) else self._problem("idempotency_in_progress")
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[claim]

    async def _wait(
        self, request: Request, route: Route, wait: Wait, call: Call, result: PGresult
    ) -> PGresult | Problem:
        """The answer that another transaction makes, or the latest 202.
        No connection is held between the questions.
        """
        arguments = dict(zip(route.names, call.arguments, strict=True))
        parameters = (request.digest, request.context, route.scope, b"t", *(arguments[name] for name in wait.names))
        started = time.monotonic()
        pause = WAIT_PAUSE
        while result.ntuples and result.get_value(0, 0) == b"202":
            left = started + wait.seconds - time.monotonic()
            if left <= 0 or _retry_after(result) > max(left, 1.0):
                break
            try:
                # The pauses grow and vary, so that 200 waiting requests are no load.
                await asyncio.sleep(min(pause * random.uniform(0.8, 1.2), left))
                if request.client.is_gone:
                    raise ClientGone
                pause *= 1.5
                # What is awaited is a later transaction than that of the request.
                latest = await self._query_with_position(request, wait.statement, parameters, is_read_only=True)
            except asyncio.CancelledError:
                break  # The server is stopping. What was started goes on.
            if isinstance(latest, StatementFailed):
                return self._problem_of(request, latest, is_read_only=True)
            if not isinstance(latest, Problem):
                result = latest
            # Otherwise the database is busy. What was started goes on.
        return result

    async def _stream(self, request: Request, route: Route, call: Call) -> Stream | Problem:
        """The response whose pages the route's function makes, after its first page was read."""
        digest = request.digest
        if self._streams.get(digest, 0) >= STREAMS:
            detail = f"This key has {STREAMS} downloads at once. Wait until one of them has ended."
            return problems.of_word(self.table.problems, "unavailable", detail=detail)
        self._streams[digest] = self._streams.get(digest, 0) + 1
        with contextlib.ExitStack() as stack:
            stack.callback(self._end_stream, digest)
            result = await self._run(request, route, call)
            if isinstance(result, Problem):
                return result
            status_text = result.get_value(0, 0) if result.ntuples else None
            if status_text is None:
                return self._problem("not_found")
            status = int(status_text)
            headers = [_header(*item) for item in _headers(result).items() if item[0] != "Next-Cursor"]
            leave = stack.pop_all().close

        def end(cause: Mapping[str, str] | None) -> None:
            leave()
            self._end(request, status, cause)

        pages = self._pages(request, route, call, result)
        return Stream(status, headers, pages, end)

    def _end_stream(self, digest: bytes | None) -> None:
        self._streams[digest] -= 1
        if not self._streams[digest]:
            del self._streams[digest]

    async def _pages(self, request: Request, route: Route, call: Call, result: PGresult) -> AsyncGenerator[bytes]:
        """The bodies of the result and of those that follow it. A HEAD has none."""
        position = route.names.index("cursor")
        while request.method != "HEAD":
            body, cursor = result.get_value(0, 2) or b"", _headers(result).get("Next-Cursor")
            del result
            yield body
            if cursor is None:
                return
            del body
            call.arguments[position] = str(cursor).encode()
            result = await self._next_page(request, route, call)

    async def _next_page(self, request: Request, route: Route, call: Call) -> PGresult:
        """The next page. If it can't be read for a reason that passes, it is read again."""
        pauses = iter(PAGE_PAUSES)
        while isinstance(result := await self._run(request, route, call), Problem):
            pause = next(pauses, None)
            if result.status != 503 or pause is None:
                raise CutOff({"reason": f"A page could not be read: {result.code}.", **result.cause})
            await asyncio.sleep(pause)
            if request.client.is_gone:
                raise ClientGone
        return result

    async def _check(
        self, request: Request, route: Route, arguments: Sequence[bytes | None] = ()
    ) -> list[FieldError] | Problem:
        """Checks the key, its scope, and the arguments against their types:
        the errors that PostgreSQL finds.
        """
        checked = [
            (HEADERS.get(argument.name, argument.name), argument.type, value.decode())
            for argument, value in zip(route.arguments, arguments, strict=False)
            # A function that is told the media type reads the body in its own way.
            if value is not None and not (argument.name == "body" and "media_type" in route.names)
        ]
        arrays = (array(item[index] for item in checked).encode() for index in range(3))
        entering = (request.digest, request.context, route.scope, b"t")
        result = await self._query(request, _ENTER, (*entering, *arrays), is_read_only=True)
        if isinstance(result, StatementFailed):
            return self._problem_of(request, result, is_read_only=True)
        if isinstance(result, Problem):
            return result
        return problems.read_errors(result.get_value(0, 0) or b"[]")

    async def _query_anywhere(
        self, request: Request, route: Route, parameters: Sequence[bytes | None], servers: Replicas
    ) -> PGresult | StatementFailed | Problem | Refusal:
        """Runs the route's function: on a replica if it only reads and a replica can answer, else on the
        primary.
        """
        positions, statement = request.positions, route.statement
        if not route.is_read_only:
            return await self._query_with_position(request, statement, parameters, is_read_only=False)
        digest = request.digest
        if self._admin_reads_replicas or self._admins.get(digest) is False:
            caller = digest if digest is not None and digest in self._known else ANYBODY

            def read(pool: Pool, asked: Beside | None) -> Awaitable[PGresult]:
                return pool.execute(
                    statement,
                    parameters,
                    client=request.client,
                    caller=caller,
                    is_read_only=True,
                    patience=replicas.PATIENCE,
                    timing=request.timing,
                    before=asked,
                )

            try:
                answered = await servers.answer(read, positions)
            except StatementFailed as error:
                return error
            if answered is not None:
                result, request.replica = answered
                if caller is ANYBODY and digest is not None:
                    self._remember(digest)
                self._learn(request, parameters[2])
                return result
        else:
            servers.count_primary("admin_key")
        request.replica = None
        known = [position for position in positions if position != replicas.PRIMARY]
        asked = replicas.question(known) if known else None
        answer = await self._query(request, statement, parameters, is_read_only=True, before=asked)
        return Refusal("invalid_position") if asked is not None and b"invalid" in replicas.states(asked) else answer

    async def _query_with_position(
        self, request: Request, statement: Statement, parameters: Sequence[bytes | None], *, is_read_only: bool
    ) -> PGresult | StatementFailed | Problem:
        """Runs the statement on the primary, and if there are replicas, notes the position behind it."""
        if self._replicas is None:
            return await self._query(request, statement, parameters, is_read_only=is_read_only)
        behind = replicas.position_behind()
        # Also of a write that fails: a client reads what has prevented it.
        try:
            return await self._query(request, statement, parameters, is_read_only=is_read_only, after=behind)
        finally:
            request.position = replicas.position_of(behind) or request.position

    async def _query(
        self,
        request: Request,
        statement: Statement,
        parameters: Sequence[bytes | None],
        *,
        is_read_only: bool,
        before: Beside | None = None,
        after: Beside | None = None,
    ) -> PGresult | StatementFailed | Problem:
        """Runs the statement. If a lock is not free, it runs again later.
        If the connection is lost, a statement that only reads runs once more.
        """
        digest, locks = request.digest, self._locks
        caller = digest if digest is not None and digest in self._known else ANYBODY

        def execute(patience: float, *, may_share: bool = True) -> Awaitable[PGresult]:
            return self._pool.execute(
                statement,
                parameters,
                client=request.client,
                caller=caller,
                is_read_only=is_read_only,
                may_share=may_share,
                patience=patience,
                timing=request.timing,
                before=before,
                after=after,
            )

        async def attempt(patience: float = PATIENCE) -> PGresult:
            try:
                return await execute(patience)
            except ConnectionLost:
                left = request.started + PATIENCE - time.perf_counter()
                if not is_read_only or left <= 0:
                    raise
                # Alone, because one of the two statements may be what breaks the connection.
                return await execute(left, may_share=False)

        try:
            if locks.held and locks.knows(_claim(request)):
                result = await locks.run(_claim(request), request.client, request.started, attempt)
            else:
                try:
                    result = await attempt()
                except StatementFailed as error:
                    if not is_locked(error):
                        raise
                    result = await locks.run(_claim(request), request.client, request.started, attempt, error)
            if caller is ANYBODY and digest is not None:
                self._remember(digest)
            self._learn(request, parameters[2])
            return result
        except StatementFailed as error:
            if error.message == "unauthorized":
                self._known.pop(digest, None)
            elif error.sqlstate.startswith("PT"):  # auth.enter has accepted the key before
                self._learn(request, parameters[2])
            return error
        except StatementAbandoned:
            if is_read_only:
                raise asyncio.CancelledError from None
            raise
        except ConnectionLost as error:
            word = "unavailable" if is_read_only else "outcome_unknown"
            if error.sqlstate:
                return self._problem(word, sqlstate=error.sqlstate)
            return self._problem(word, reason="The connection to PostgreSQL was lost.")
        except Unavailable:
            return self._problem("unavailable", reason="No connection to PostgreSQL was free in time.")

    def _remember(self, digest: bytes) -> None:
        """Gives the requests with this key a part of their own."""
        if len(self._known) >= KNOWN_KEYS:
            del self._known[next(iter(self._known))]
        self._known[digest] = None

    def _learn(self, request: Request, scope: bytes | None) -> None:
        """Notes that the key was accepted, and asks for its organization and its id. They never
        change, so one answer serves all requests. Until it is there, the log has null.
        """
        digest = request.digest
        # A route without a scope accepts any key.
        if digest is None or scope is None:
            return
        self.uses.started[digest] = request.started
        if self._limits is not None and not request.is_counted:
            request.is_counted = True
            request.added_headers += self._limits.take(digest, int(request.started * 1e9), is_answered=True).headers
        if digest in self._callers:
            return
        if len(self._callers) >= KNOWN_KEYS:
            oldest = next(iter(self._callers))
            del self._callers[oldest]
            self._admins.pop(oldest, None)
        self._callers[digest] = log.NOBODY
        self._pool.start(self._ask_for_caller(digest))

    async def _ask_for_caller(self, digest: bytes) -> None:
        try:
            result = await self._pool.execute(_CALLER, (digest, b"", None, b"t"), caller=digest, is_read_only=True)
        except (Unavailable, ConnectionLost, StatementFailed):
            self._callers.pop(digest, None)  # The next request asks again.
            return
        if text := result.get_value(0, 0):
            caller = json.loads(text)
            self._admins[digest] = caller.pop("is_admin")
            self._callers[digest] = log.caller(**caller)

    def _respond(self, request: Request, call: Call, result: PGresult) -> Response | Problem:
        """The response for a function's result.
        No row, or a row of nulls, means that the record does not exist.
        """
        status_text = result.get_value(0, 0) if result.ntuples else None
        if status_text is None:
            return self._problem("not_found")
        headers: Headers = []
        for name, value in _headers(result).items():
            if value is None:
                continue
            if name == "Next-Cursor":
                query = _query_of_page(call.parameters, value)
                headers.append((b"link", f'<{_quoted(request.path)}?{query}>; rel="next"'.encode()))
                continue
            if name == "Announced":
                organization, _, key = value.partition("/")
                request.unannounced = organization.encode(), key.encode()
                continue
            if name == "ETag" and request.method in ("GET", "HEAD") and _is_known(request, value):
                return 304, [(b"etag", value.encode())], b""
            headers.append(_header(name, value))
        body = result.get_value(0, 2)
        if body is not None:
            headers.append((b"content-type", b"application/json"))
        return int(status_text), headers, body or b""

    def _cancelled(self, error: asyncio.CancelledError) -> Problem:
        """The problem of a request that still runs when the server must stop."""
        word, detail = "unavailable", "The server is stopping. Nothing was done. Try again."
        if isinstance(error, StatementAbandoned):
            word = "outcome_unknown"
            detail = (
                "The server stopped before the database answered, and the outcome is unknown. Check whether the "
                "change was made, or repeat the request if it has an Idempotency-Key."
            )
        problem = problems.of_word(self.table.problems, word, detail=detail)
        return replace(problem, cause={"reason": "The server is stopping."})

    def _invalid(self, route: Route, errors: Sequence[FieldError]) -> Problem:
        is_body = route.takes_body and all(error.field == "body" for error in errors)
        return self._problem("invalid_body" if is_body else "invalid_parameter", errors=errors)

    def _problem_of(self, request: Request, error: StatementFailed, *, is_read_only: bool) -> Problem:
        cause = {"sqlstate": error.sqlstate}
        problem = replace(problems.of_error(self.table.problems, error, is_read_only=is_read_only), cause=cause)
        if problem.status == 500:
            log.write("error", request_id=request.id.decode(), sqlstate=error.sqlstate, message=error.message)
        elif problem.status == 401 and request.has_key_in_path:
            problem = replace(problem, detail="The address is wrong, or it was revoked.")
        elif problem.status == 503 and error.sqlstate in ("26000", "42P05"):
            cause["reason"] = "Behind a pooler, set LEADS_PREPARED_STATEMENTS=off."
        return problem

    def _problem(
        self, word: str, *, errors: Iterable[FieldError] = (), allow: str | None = None, **cause: str
    ) -> Problem:
        """The problem of a word. cause: what the log says about it."""
        problem = problems.of_word(self.table.problems, word, errors=tuple(errors), allow=allow)
        return replace(problem, cause=cause) if cause else problem


def common_headers(request_id: bytes) -> Headers:
    """The headers that every response has."""
    return [(b"cache-control", b"private, no-cache"), (b"vary", b"Authorization"), (b"x-request-id", request_id)]


def _server_timing(timing: Timing) -> Headers:
    """The header Server-Timing (https://www.w3.org/TR/server-timing/), in milliseconds."""
    parts = []
    if timing.database:
        parts.append(b"db;dur=%.2f" % (timing.database * 1000))
    if timing.wait:
        parts.append(b"wait;dur=%.2f" % (timing.wait * 1000))
    return [(b"server-timing", b", ".join(parts))] if parts else []


def _claim(request: Request) -> Claim:
    # An id can have capital letters, and no hyphens.
    return request.digest, request.method, request.path.lower().replace("-", "")


def _is_known(request: Request, tag: str) -> bool:
    """Whether If-None-Match contains this tag (RFC 9110, section 13.1.2: weak comparison)."""
    known = request.headers.get(b"if-none-match")
    if known is None:
        return False
    return known.strip() == b"*" or tag in _ENTITY_TAG.findall(known.decode("latin-1"))


def _query_of_page(parameters: Mapping[str, str], cursor: str) -> str:
    """The query of the next page: the same parameters with another cursor."""
    if "cursor" in parameters:
        return urlencode({**parameters, "cursor": cursor})
    others = _encoded(tuple(parameters.items()))
    return f"{others}&cursor={quote(cursor)}" if others else f"cursor={quote(cursor)}"


def _header(name: str, value: Any) -> tuple[bytes, bytes]:
    """A header that a function has returned. Raises ValueError."""
    header = name.lower().encode(), str(value).encode()
    if _NO_HEADER.search(b"%s:%s" % header):
        raise ValueError("a function has returned a header that HTTP does not allow")
    return header


def _retry_after(result: PGresult) -> float:
    return float(_headers(result).get("Retry-After", 0))


def _headers(result: PGresult) -> dict[str, Any]:
    """The headers that a function has returned."""
    headers: dict[str, Any] = json.loads((result.get_value(0, 1) or b"{}").decode())
    return headers
