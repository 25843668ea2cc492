"""The connections for requests: libpq in the event loop,
with one statement and one round trip per request.

psycopg's asynchronous connection and pool would cost more CPU than the rest of a request together.
This module therefore uses ``psycopg.pq``. Each connection has one permanent reader on its socket,
and prepares each statement once. Behind a pooler, which shares the sessions between clients, no
statement is prepared: another client of the session could give the prepared statement's name to a
statement of its own, which would then receive the next caller's claim.

Short reads that run at the same time share connections, in libpq's pipeline mode: a few busy
processes of PostgreSQL cost less than many that wait for a processor. Each statement has a Sync of
its own. So each is a transaction of its own, an error affects no other statement, and the results
arrive in the order of the statements, each followed by PIPELINE_SYNC. If anything else arrives, the
connection is closed, so that no request gets the result of another.

If the schema changes beneath a statement, it is repeated without its prepared statement
(app/schema_change.py).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic

import psycopg
from psycopg import pq

from app import log, schema_change, session
from app.background import Background
from app.server.queue import ANYBODY, Client, ClientGone, Crowded, Queue, Unavailable
from app.server.totals import Totals

DEADLINE = 15.0
"""Seconds after which a silent connection is closed. PostgreSQL's statement_timeout ends before."""

PATIENCE = 4.0
"""Seconds that a request waits for a connection; up to TICK more. On a busy machine, the client also
waits until its request is read and its response is sent: 5 seconds in all.
"""

SHORT = 10
"""Seconds that a statement on the connections for short ones may take: their statement_timeout."""
LONG_CONNECTIONS = 2
"""Connections for statements that may take longer, which open at the first such statement."""
LONG_PATIENCE = 20.0
"""Seconds that such a statement waits for a connection; up to TICK more."""

TICK = 0.25
"""Seconds between two checks of the connections and of the queue."""

CROWD_PAUSE = 0.5
"""Seconds after which a request is refused because too many wait. Without a pause, a client that
tries again at once would take the processor from the others.
"""

PROBE = 5.0
"""Seconds after which an unused connection is probed: a silent server, or a host that has gone, is
noticed before the next request.
"""
PROBE_PATIENCE = 3.0
"""Seconds that the response to a probe may take. A connection whose statement runs for longer than
this is no sign that the server is ready.
"""

DEPTH = 4
"""Reads that a connection may have at once. Measured on a busy machine with 16 and 64 clients that
read one lead: with 2, the slowest reads took longer. With 8, a read cost as much of PostgreSQL's
time as with 4, and fewer were answered in a second.
"""

SLOW = 0.005
"""Seconds after which a read is slow: no other is sent behind it, nor behind a statement whose runs
recently took so long in the mean. Measured on a busy machine: with 1 ms, a read of one lead cost
more of PostgreSQL's time, and with 1 or 2 ms, a list did. Between 5, 10 and 20 ms, the runs showed
no difference that was larger than their noise, so this is the smallest of them.
"""

WEIGHT = 0.125
"""The weight of the last run in the mean duration of a statement."""

KNOWN = 1000
"""Results that a connection remembers."""

MOST_RUNS = 100
"""Statements of a request that are listed one by one. A download has one for each page."""

YOUNG = 1.0
"""Seconds for which a new connection is kept even if it reports an error of its session.
On a standby, each write would otherwise open a connection.
"""


class _Present:
    is_gone = False


PRESENT: Client = _Present()
"""A client that stays."""


@dataclass(eq=False)
class ConnectionLost(Exception):
    """The connection broke while a statement ran. Whether the statement was executed is unknown."""

    sqlstate: str = ""
    """The error that PostgreSQL sent before, if any."""


class StatementAbandoned(asyncio.CancelledError):
    """The request was cancelled while its statement ran.
    Whether the statement was executed is unknown.
    """


@dataclass(eq=False)
class StatementFailed(Exception):
    """PostgreSQL's response is an error. Nothing was done."""

    sqlstate: str
    message: str
    detail: str | None
    hint: str | None
    constraint: str
    is_fatal: bool = False
    """Whether PostgreSQL, or a pooler, has ended the session with it."""
    is_of_schema: bool = False
    """Whether the schema may have changed beneath the statement, so that a repetition may succeed."""

    @property
    def is_of_session(self) -> bool:
        """Whether the session is the cause, so that another session may succeed.

        Class 08 is the connection. Class 25 is the state of its transaction; 25006 is a standby.
        26000 and 42P05 are a prepared statement that is missing or that another client has
        prepared, which happens behind a pooler.
        """
        return self.sqlstate.startswith(("08", "25", "26", "42P05"))


@dataclass(slots=True)
class Timing:
    """How long the statements of a request have taken, in seconds."""

    database: float = 0.0
    """From sending each statement to its result. 0: none was sent."""
    wait: float = 0.0
    """Until a connection was free."""
    runs: list[tuple[str, float, float, str]] | None = None
    """The function, the begin and the end (time.monotonic) and the SQLSTATE of up to MOST_RUNS
    statements. None: they are not needed.
    """

    def add(self, statement: "Statement", sent: float, ended: float, sqlstate: str) -> None:
        """Adds a statement."""
        self.database += ended - sent
        if self.runs is not None and len(self.runs) < MOST_RUNS:
            self.runs.append((statement.function, sent, ended, sqlstate))


@dataclass(frozen=True)
class Statement:
    """A statement's text, and the name that each connection prepares it under."""

    name: bytes
    text: bytes
    seconds: int = SHORT
    """How long it may take. If longer than SHORT, it runs on connections of its own."""
    function: str = ""
    """The function that it calls, for the metrics and traces."""


_PROBE = Statement(b"probe", b"select", function="probe")


@dataclass(eq=False, slots=True)
class Beside:
    """A statement that is sent in the same round trip as another one, before or behind it, and is a
    transaction of its own.
    """

    statement: Statement
    values: Sequence[bytes | None] = ()
    result: pq.abc.PGresult | None = None
    """None: it has failed."""
    is_sent: bool = False
    """Whether it, and the other statement, were sent."""
    lasts: Callable[[pq.abc.PGresult], bool] | None = None
    """Whether a result stays true for as long as the session. Then the connection does not ask again
    with these values. None: none does.
    """


# Looking up a member of an enum costs as much as a call.
_COMMAND_OK = pq.ExecStatus.COMMAND_OK.value
_TUPLES_OK = pq.ExecStatus.TUPLES_OK.value
_FATAL_ERROR = pq.ExecStatus.FATAL_ERROR.value
_PIPELINE_SYNC = pq.ExecStatus.PIPELINE_SYNC.value


@dataclass(eq=False, slots=True)
class _Request:
    """A statement that waits or runs."""

    statement: Statement
    values: Sequence[bytes | None]
    client: Client
    caller: bytes | None
    """None: it occupies no place of the queue."""
    is_read_only: bool
    may_share: bool
    until: float
    future: "asyncio.Future[pq.abc.PGresult]"
    timing: Timing
    queued: float = 0.0
    """When it began to wait for a connection. 0: it did not wait."""
    sent: float = 0.0
    connection: "_Connection | None" = None
    """None: it was not sent."""
    is_repeated: bool = False
    """Whether it runs without the prepared statement, because an earlier run has failed."""
    is_prepared: bool = True
    """Whether it was prepared before."""
    missing: int = 1
    """The number of results that must still arrive before its PIPELINE_SYNC."""
    result: pq.abc.PGresult | None = None
    before: "_Request | None" = None
    """A statement that is sent immediately before it."""
    after: "_Request | None" = None
    """A statement that is sent immediately behind it."""


class _Connection:
    __slots__ = (
        "_loop",
        "_pool",
        "_session",
        "is_ending",
        "is_shareable",
        "known",
        "opened",
        "pgconn",
        "prepared",
        "remembers",
        "requests",
        "socket",
        "started",
    )

    def __init__(self, session: psycopg.AsyncConnection, pool: "Pool") -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = pool
        self._session = session
        self.pgconn = session.pgconn
        self.prepared: set[bytes] = set()
        self.known: dict[tuple[bytes | None, ...], pq.abc.PGresult] = {}
        """Results of statements beside others that stay true, by their values."""
        self.requests: deque[_Request] = deque()
        """The statements that were sent and have not ended. The first one runs."""
        self.remembers = pool.is_preparing
        """Whether the session is always the same one, which a pooler does not promise."""
        self.opened = monotonic()
        self.started = self.opened
        """When the first statement began to run. If there is none: when the last one ended."""
        self.is_shareable = False
        """Whether a short read may be sent behind the last statement."""
        self.is_ending = False
        """Whether the connection is closed after its last statement."""
        self.pgconn.nonblocking = 1
        self.pgconn.notice_handler = self._on_notice
        self.pgconn.enter_pipeline_mode()
        self.socket = self.pgconn.socket
        self._loop.add_reader(self.socket, self._on_readable)

    def send(self, request: _Request, *, is_short: bool) -> None:
        """Sends the statement. is_short: whether a short read may be sent behind it."""
        self.is_shareable = is_short
        if request.queued:
            request.timing.wait += monotonic() - request.queued
        try:
            if (before := request.before) is not None:
                known = self.known.get(tuple(before.values))
                if known is None:
                    self._put(before)
                else:
                    before.future.set_result(known)
            self._put(request)
            if request.after is not None:
                self._put(request.after)
            if self.pgconn.flush():
                self._loop.add_writer(self.socket, self._on_writable)
        except psycopg.OperationalError:
            self.lose()

    def _put(self, request: _Request) -> None:
        """Writes the statement, and its Sync, into the buffer. Raises psycopg.OperationalError."""
        pgconn, statement = self.pgconn, request.statement
        request.sent = monotonic()
        if not self.requests:
            self.started = request.sent
        self.requests.append(request)
        request.connection = self
        if request.is_repeated or not self._pool.is_preparing:
            # The text and the values go in one message, so that no state of the session comes
            # between them.
            self.is_shareable = False
            pgconn.send_query_params(statement.text, request.values)
        else:
            if statement.name not in self.prepared:
                # The first run is slow. If it fails, the statement may not be prepared.
                self.is_shareable = request.is_prepared = False
                request.missing = 2
                pgconn.send_prepare(statement.name, statement.text)
            pgconn.send_query_prepared(statement.name, request.values)
        pgconn.pipeline_sync()

    def _on_writable(self) -> None:
        try:
            if not self.pgconn.flush():
                self._loop.remove_writer(self.socket)
        except psycopg.OperationalError:
            self.lose()

    def _on_readable(self) -> None:
        # Read again unless all results are complete. When the socket has an error, such as the end
        # of the server's process, uvloop calls this method for the last time, and the first read
        # may return only what the server sent before it ended.
        if not self._read():
            self._read()

    def _on_notice(self, notice: pq.abc.PGresult) -> None:
        # All notices of the server have an SQLSTATE. This one is libpq's own: it has thrown away a
        # message that belongs to no statement.
        if not _sqlstate(notice):
            self._loop.call_soon(self.lose)

    def _read(self) -> bool:
        """Reads what has arrived. Returns whether nothing more is to be read."""
        if self.socket < 0:
            return True
        pgconn, requests = self.pgconn, self.requests
        ended: list[_Request] = []
        try:
            pgconn.consume_input()
            # is_busy is also called after the last statement: libpq then throws away what has
            # arrived, so that it cannot become the result of the next statement.
            while not pgconn.is_busy():
                if not requests:
                    # The server has closed the connection, or reports a changed setting.
                    if pgconn.status == pq.ConnStatus.BAD:
                        self.lose()
                    break
                result, request = pgconn.get_result(), requests[0]
                status = None if result is None else result.status
                if status == _PIPELINE_SYNC and not request.missing:
                    ended.append(requests.popleft())
                elif result is None or status == _PIPELINE_SYNC or not self._take(request, result):
                    self.lose()
                    break
        except psycopg.OperationalError:
            self.lose()
        is_complete = not requests
        if ended:
            self._end(ended)
        return is_complete and bool(ended)

    def _take(self, request: _Request, result: pq.abc.PGresult) -> bool:
        """Keeps a result of the statement. Returns whether it can be one."""
        if not request.missing:
            # The statement has succeeded, and its transaction failed when it was committed.
            if result.status != _FATAL_ERROR:
                return False
            request.result = result
        else:
            request.missing -= 1
            if request.result is None:
                request.result = result
            # The second of two results. After an error, it is PIPELINE_ABORTED.
            elif request.result.status == _COMMAND_OK:
                self.prepared.add(request.statement.name)
                request.result = result
        # libpq returns None after each result, but not after PIPELINE_SYNC.
        return self.pgconn.get_result() is None

    def _end(self, ended: list[_Request]) -> None:
        """Passes the results on, and starts other statements."""
        now = monotonic()
        seconds = (now - self.started) / len(ended)
        self.started = now
        totals = self._pool.totals
        for request in ended:
            result, future = request.result, request.future
            assert result is not None
            if totals is not None:
                totals.add_statement(request.statement.function, seconds)
            if not future.done():
                sqlstate = "" if result.status == _TUPLES_OK else _sqlstate(result)
                request.timing.add(request.statement, request.sent, now, sqlstate)
            if result.status == _TUPLES_OK:
                # An error says nothing about the duration: a wrong key ends each statement early.
                if request.is_prepared:
                    self._pool.learn(request.statement, seconds)
                if not future.done():
                    future.set_result(result)
                continue
            error = _failure(result)
            if error.is_fatal:
                self.lose()
            elif error.is_of_session and now - self.opened > YOUNG:
                self.is_ending = True
                self.is_shareable = False
            if not future.done():
                future.set_exception(ConnectionLost(error.sqlstate) if error.is_fatal else error)
        if self.is_ending and not self.requests:
            self.lose()
        self._pool.release(self, ended)

    def check(self, now: float) -> None:
        """Closes the connection if the server has, or if a statement takes too long.

        If a read is slow, those behind it run again on other connections. If its client has
        disconnected, it is cancelled, but not behind a pooler, which could have given the session
        to another client when the cancellation arrives.
        """
        self._read()
        if not self.requests:
            return
        first, *others = self.requests
        seconds = now - self.started
        if seconds > (PROBE_PATIENCE if first.statement is _PROBE else self._pool.deadline):
            self.lose()
        elif first.is_read_only and seconds > TICK and self._pool.is_preparing:
            self._fail(others)
            # A statement that is about to end anyway costs less than a new connection.
            if first.client.is_gone:
                if not first.future.done():
                    first.future.set_exception(ClientGone())
                self._leave()
                self._pool.start(self._cancel())

    def abandon(self, request: _Request) -> None:
        """The result of the statement is not awaited any more. The next statement must not get it:
        the connection is closed, or if others wait for it too, the result is thrown away.
        """
        if len(self.requests) == 1 and request in self.requests:
            self.lose()

    def end(self) -> None:
        """Closes the connection after its last statement. The pool opens another."""
        self.is_ending = True
        self.is_shareable = False
        if not self.requests:
            self.lose()

    def lose(self) -> None:
        """Closes the connection. The pool opens another."""
        if self._leave():
            self.pgconn.finish()
            self._pool.replace(self)

    async def _cancel(self) -> None:
        """Cancels the statement and closes the connection: a late cancellation could reach the
        next statement.
        """
        try:
            with contextlib.suppress(psycopg.Error):
                await self._session.cancel_safe(timeout=DEADLINE)
        finally:
            self.pgconn.finish()
            self._pool.replace(self)

    def _leave(self) -> bool:
        """Stops using the connection: its statements lose it. Returns whether it was in use."""
        if self.socket < 0:
            return False
        self._loop.remove_reader(self.socket)
        self._loop.remove_writer(self.socket)
        self.socket = -1
        requests = list(self.requests)
        self.requests.clear()
        self._fail(requests)
        return True

    def _fail(self, requests: list[_Request]) -> None:
        """Ends the statements without a result. An error of the session is reported to all."""
        sqlstate = _sqlstate(requests[0].result) if requests else ""
        now = monotonic()
        for request in requests:
            if not request.future.done():
                request.timing.add(request.statement, request.sent, now, sqlstate)
                request.future.set_exception(ConnectionLost(sqlstate))
        self._pool.release(self, requests)


class Pool:
    """A few connections, each of which runs one write, or some short reads one after the other,
    and a bounded queue for them.

    There are never more statements on the connections than there are connections.
    So one is idle whenever another statement may start, and a write never waits behind a read.
    """

    def __init__(
        self,
        url: str,
        size: int,
        queue: int,
        *,
        is_preparing: bool = True,
        seconds: int = SHORT,
        application_name: str = session.API,
    ) -> None:
        self.is_preparing = is_preparing
        self._url = url
        self._seconds = seconds
        self._conninfo = session.address(
            url, session.SERVER if seconds == SHORT else session.long(seconds), application_name
        )
        self.deadline = seconds - SHORT + DEADLINE
        """Seconds after which a silent connection is closed."""
        self._longer: dict[int, Pool] = {}
        """The pools for longer statements, by the seconds that these may take."""
        self.size = size
        self.queue = queue
        self._idle: dict[_Connection, None] = {}
        self._busy: dict[_Connection, None] = {}
        self._all: set[_Connection] = set()
        self._means: dict[bytes, float] = {}
        """The recent duration of each statement in seconds, by its name."""
        self._queue: Queue[_Request] = Queue(size, queue)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut_off = False
        self._background = Background()
        self._closed = False
        self.totals: Totals | None = None
        """Where the statements are counted. None: nowhere."""

    async def open(self) -> None:
        """Opens the connections that the server accepts. The others are opened when it does."""
        opened = await asyncio.gather(*(self._connect() for _ in range(self.size)), return_exceptions=True)
        for connection in opened:
            if isinstance(connection, _Connection):
                self.release(connection, ())
            else:
                self.start(self._reconnect())
        self.start(self._background.run("deadlines", self._watch_deadlines))

    @property
    def is_ready(self) -> bool:
        """Whether at least one connection is open and not silent, and the deadlines of waiting
        requests are watched.
        """
        silent = monotonic() - PROBE_PATIENCE
        answers = any(
            connection.socket >= 0 and (not connection.requests or connection.started > silent)
            for connection in self._all
        )
        return answers and not self._background.failing()

    @property
    def gauges(self) -> dict[str, float]:
        """The connections and the requests that wait for one, at this moment."""
        pools = [self, *self._longer.values()]
        return {
            "pool_busy": sum(len(pool._busy) for pool in pools),
            "pool_idle": sum(len(pool._idle) for pool in pools),
            "pool_waiting": sum(len(pool._queue) for pool in pools),
        }

    async def execute(
        self,
        statement: Statement,
        values: Sequence[bytes | None],
        *,
        client: Client = PRESENT,
        caller: bytes = ANYBODY,
        is_read_only: bool = False,
        may_share: bool = True,
        patience: float = PATIENCE,
        timing: Timing | None = None,
        before: Beside | None = None,
        after: Beside | None = None,
        is_repeated: bool = False,
    ) -> pq.abc.PGresult:
        """Runs the statement in a transaction of its own, and returns its rows. If the schema changes
        beneath it, it runs again.

        If the client disconnects, a statement that waits is not started, and a slow one that only
        reads is cancelled. caller: see Queue. may_share: whether a statement that only reads may
        run on a connection with others. patience: the seconds to wait for a connection. timing: is
        increased by what the statement takes. before, after: run on the same connection, immediately
        before and behind the statement, and get their results. is_repeated: see _Request.

        Raises Unavailable, ClientGone, ConnectionLost and StatementFailed.
        """
        if statement.seconds > self._seconds:
            # So long statements never occupy the connections of short ones.
            pool = self._longer.get(statement.seconds) or await self._open_longer(statement.seconds)
            return await pool.execute(
                statement,
                values,
                client=client,
                caller=caller,
                is_read_only=is_read_only,
                may_share=False,
                patience=max(patience, LONG_PATIENCE),
                timing=timing,
                before=before,
                after=after,
            )
        now = monotonic()
        future: asyncio.Future[pq.abc.PGresult] = asyncio.get_running_loop().create_future()
        timing = timing or Timing()
        request = _Request(statement, values, client, caller, is_read_only, may_share, now + patience, future, timing)
        if before is not None:
            request.before = _beside(before, is_read_only=True)
        if after is not None:
            request.after = _beside(after, is_read_only=False)
        if is_repeated:
            request.is_repeated, request.is_prepared = True, False
        try:
            if self._idle and self._queue.enter(caller):
                self._start(request)
            else:
                # A timer for each wait would cost more than the wait: _watch_deadlines ends it.
                request.queued = now
                self._queue.put(caller, request, now)
            if after is None:
                return await future
            try:
                return await future
            finally:
                if request.after is not None and request.connection is not None:
                    after.is_sent = True
                    await asyncio.wait([request.after.future])
        except Unavailable as error:
            if isinstance(error, Crowded):
                await asyncio.sleep(CROWD_PAUSE)
            timing.wait += monotonic() - now
            raise
        except StatementFailed as error:
            if is_repeated or not error.is_of_schema:
                raise
            return await self._repeat(request, caller, error, before, after)
        except asyncio.CancelledError:
            # The server is stopping.
            if request.connection is None:
                raise
            request.connection.abandon(request)
            raise StatementAbandoned from None

    @property
    def has_connections(self) -> bool:
        """Whether a connection is open."""
        return bool(self._all)

    @property
    def load(self) -> int:
        """The busy connections, and the requests that wait for one."""
        return len(self._busy) + len(self._queue)

    def cut_off(self) -> None:
        """Ends all statements that run or wait, because the server does not answer."""
        for pool in (self, *self._longer.values()):
            for connection in list(pool._all):
                connection.lose()
            pool._queue.drop(float("inf"))

    async def close(self) -> None:
        """Closes all connections. No request may be running."""
        self._closed = True
        for pool in self._longer.values():
            await pool.close()
        for task in self._tasks:
            task.cancel()
        for connection in list(self._all):
            connection.lose()

    def learn(self, statement: Statement, seconds: float) -> None:
        """Notes how long the statement has taken."""
        mean = self._means.get(statement.name, seconds)
        self._means[statement.name] = mean + (seconds - mean) * WEIGHT

    def release(self, connection: _Connection, requests: Iterable[_Request]) -> None:
        """Frees the places of statements that have ended on the connection, and starts others."""
        for request in requests:
            if request.caller is not None:
                self._queue.leave(request.caller)
                request.caller = None
        if not connection.requests:
            self._busy.pop(connection, None)
            if connection.socket >= 0:
                self._idle[connection] = None
            else:
                self._idle.pop(connection, None)
        while self._queue and self._idle and (entry := self._queue.take()):
            self._start(entry)

    def replace(self, connection: _Connection) -> None:
        """Removes a lost connection, and opens another as soon as the server can be reached."""
        self._all.discard(connection)
        if not self._closed:
            self.start(self._reconnect())

    def start(self, work: "asyncio._CoroutineLike[None]") -> None:
        """Runs the work in a task of its own, which ends with the pool at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _repeat(
        self,
        request: _Request,
        caller: bytes,
        failure: StatementFailed,
        before: Beside | None,
        after: Beside | None,
    ) -> pq.abc.PGresult:
        """Runs the statement again, which has failed, and may succeed now."""
        sqlstate = failure.sqlstate
        for pause in schema_change.PAUSES:
            await asyncio.sleep(pause)
            try:
                result = await self.execute(
                    request.statement,
                    request.values,
                    client=request.client,
                    caller=caller,
                    is_read_only=request.is_read_only,
                    may_share=False,
                    patience=request.until - monotonic(),
                    timing=request.timing,
                    before=before,
                    after=after,
                    is_repeated=True,
                )
            except StatementFailed as error:
                if not error.is_of_schema:
                    raise
                failure = error
                continue
            # The prepared statement may have a parameter of a type that is gone, so that it would
            # always fail.
            if self.is_preparing and request.connection is not None:
                request.connection.end()
            schema_change.report(sqlstate, request.statement.function)
            return result
        raise failure

    def _start(self, request: _Request) -> None:
        """Sends the statement. A connection must be idle."""
        # A statement that never ran may be slow.
        is_short = request.is_read_only and request.may_share and self._means.get(request.statement.name, SLOW) < SLOW
        if is_short and self._busy:
            slow = monotonic() - SLOW
            for connection in self._busy:
                if connection.is_shareable and connection.started > slow and len(connection.requests) < DEPTH:
                    connection.send(request, is_short=True)
                    return
        connection, _ = self._idle.popitem()
        self._busy[connection] = None
        connection.send(request, is_short=is_short)

    async def _open_longer(self, seconds: int) -> "Pool":
        pool = Pool(self._url, LONG_CONNECTIONS, self.queue, is_preparing=self.is_preparing, seconds=seconds)
        pool.totals = self.totals
        # Statements that come while the connections open wait in its queue.
        self._longer[seconds] = pool
        await pool.open()
        return pool

    async def _probe(self, connection: _Connection) -> None:
        future = asyncio.get_running_loop().create_future()
        if connection.socket < 0:  # lost in the meantime
            return
        with contextlib.suppress(ConnectionLost, StatementFailed):
            connection.send(_Request(_PROBE, (), PRESENT, None, False, False, 0.0, future, Timing()), is_short=False)
            await future

    async def _connect(self) -> _Connection:
        # PGconn.connect holds Python's lock while it waits for the server: even in a thread of its
        # own it would stop the event loop.
        session = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        connection = _Connection(session, self)
        self._all.add(connection)
        return connection

    async def _reconnect(self) -> None:
        delay = 0.1
        while True:
            try:
                self.release(await self._connect(), ())
                self._is_cut_off = False
                if self.totals is not None:
                    self.totals.reconnects += 1
                return
            except psycopg.OperationalError as error:
                # If no connection is left, /readyz shows it. One line for all connections.
                if not self._is_cut_off:
                    self._is_cut_off = True
                    reason = " ".join(str(error).split())
                    log.write("warning", message=f"PostgreSQL accepts no connection. {reason}")
            except Exception as error:
                log.failure("A database connection can't be opened.", error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 1.0)

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            now = monotonic()
            for connection in list(self._all):
                connection.check(now)
            for connection in [each for each in self._idle if now > each.started + PROBE]:
                del self._idle[connection]
                self._busy[connection] = None
                self.start(self._probe(connection))
            if self._queue:
                self._queue.drop(now)


def _beside(beside: Beside, *, is_read_only: bool) -> _Request:
    beside.result = None
    future: asyncio.Future[pq.abc.PGresult] = asyncio.get_running_loop().create_future()

    def keep(ended: "asyncio.Future[pq.abc.PGresult]") -> None:
        if ended.cancelled() or ended.exception() is not None:
            return
        beside.result = ended.result()
        connection = request.connection
        if connection is None or beside.lasts is None or not connection.remembers:
            return
        if beside.lasts(beside.result):
            if len(connection.known) >= KNOWN:
                connection.known.clear()
            connection.known[tuple(beside.values)] = beside.result

    future.add_done_callback(keep)
    request = _Request(beside.statement, beside.values, PRESENT, None, is_read_only, True, 0.0, future, Timing())
    return request


def _sqlstate(result: pq.abc.PGresult | None) -> str:
    state = result.error_field(pq.DiagnosticField.SQLSTATE) if result is not None else None
    return state.decode() if state else ""


def _failure(result: pq.abc.PGresult) -> StatementFailed:
    def text(code: pq.DiagnosticField) -> str | None:
        value = result.error_field(code)
        return value.decode("utf-8", "replace") if value else None

    sqlstate = _sqlstate(result)
    return StatementFailed(
        sqlstate=sqlstate,
        message=text(pq.DiagnosticField.MESSAGE_PRIMARY) or "",
        detail=text(pq.DiagnosticField.MESSAGE_DETAIL),
        hint=text(pq.DiagnosticField.MESSAGE_HINT),
        constraint=text(pq.DiagnosticField.CONSTRAINT_NAME) or "",
        is_fatal=text(pq.DiagnosticField.SEVERITY_NONLOCALIZED) in ("FATAL", "PANIC"),
        is_of_schema=schema_change.is_of_schema(sqlstate, text(pq.DiagnosticField.SOURCE_FUNCTION) or ""),
    )
