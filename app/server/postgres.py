"""The connections for requests: libpq in the event loop,
with one statement and one round trip per request.

psycopg's asynchronous connection and pool would cost more CPU than the rest of a request together.
This module therefore uses ``psycopg.pq``. Each connection has one permanent reader on its socket,
and prepares each statement once. Behind a pooler, which shares the sessions between clients, no
statement is prepared: another client of the session could give the prepared statement's name to a
statement of its own, which would then receive the next caller's claim.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq

from app import log, session
from app.background import Background
from app.server.queue import ANYBODY, Client, ClientGone, Crowded, Queue

DEADLINE = 15.0
"""Seconds after which a silent connection is closed. PostgreSQL's statement_timeout ends before."""

PATIENCE = 4.0
"""Seconds that a request waits for a connection; up to TICK more. On a busy machine, the client also
waits until its request is read and its response is sent: 5 seconds in all.
"""

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
    is_stale_plan: bool = False
    """Whether the type of a prepared statement's result has changed."""

    @property
    def is_of_session(self) -> bool:
        """Whether the session is the cause, so that another session may succeed.

        Class 08 is the connection. Class 25 is the state of its transaction; 25006 is a standby.
        26000 and 42P05 are a prepared statement that is missing or that another client has
        prepared, which happens behind a pooler.
        """
        return self.is_stale_plan or self.sqlstate.startswith(("08", "25", "26", "42P05"))


@dataclass(frozen=True)
class Statement:
    """A statement's text, and the name that each connection prepares it under."""

    name: bytes
    text: bytes


_PROBE = Statement(b"probe", b"select")


class _Connection:
    __slots__ = (
        "_loop",
        "_pool",
        "_result",
        "_session",
        "future",
        "is_probed",
        "opened",
        "pgconn",
        "prepared",
        "reader",
        "socket",
        "started",
    )

    def __init__(self, session: psycopg.AsyncConnection, pool: "Pool") -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = pool
        self._result: pq.abc.PGresult | None = None
        self._session = session
        self.pgconn = session.pgconn
        self.prepared: set[bytes] = set()
        self.future: asyncio.Future[pq.abc.PGresult] | None = None
        self.opened = self._loop.time()
        self.started = self.opened
        self.is_probed = False
        self.reader: Client | None = None
        """The client of the statement that runs, if the statement only reads."""
        self.pgconn.nonblocking = 1
        self.socket = self.pgconn.socket
        self._loop.add_reader(self.socket, self._on_readable)

    async def execute(self, statement: Statement, values: Sequence[bytes | None]) -> pq.abc.PGresult:
        self.started = self._loop.time()
        try:
            if not self._pool.is_preparing:
                # The text and the values go in one message, so that no state of the session comes
                # between them.
                self.pgconn.send_query_params(statement.text, values)
                return await self._answer()
            if statement.name not in self.prepared:
                self.pgconn.send_prepare(statement.name, statement.text)
                result = await self._answer()
                if result.status != pq.ExecStatus.COMMAND_OK:
                    return result
                self.prepared.add(statement.name)
            self.pgconn.send_query_prepared(statement.name, values)
        except psycopg.OperationalError:
            self.lose()
            raise ConnectionLost from None
        return await self._answer()

    def _answer(self) -> "asyncio.Future[pq.abc.PGresult]":
        self._result = None
        self.future = self._loop.create_future()
        self._flush()
        return self.future

    def _flush(self) -> None:
        try:
            unsent = self.pgconn.flush()
        except psycopg.OperationalError:
            self.lose()
            return
        if unsent:
            self._loop.add_writer(self.socket, self._on_writable)

    def _on_writable(self) -> None:
        self._loop.remove_writer(self.socket)
        self._flush()

    def _on_readable(self) -> None:
        # Read again unless the result is complete. When the socket has an error, such as the end
        # of the server's process, uvloop calls this method for the last time, and the first read
        # may return only what the server sent before it ended.
        if not self._read():
            self._read()

    def _read(self) -> bool:
        """Reads what has arrived. Returns whether nothing more is to be read."""
        if self.socket < 0:
            return True
        pgconn = self.pgconn
        try:
            pgconn.consume_input()
            if self.future is None:
                # No statement runs: the server has closed the connection,
                # or reports a changed setting.
                if pgconn.status == pq.ConnStatus.BAD:
                    self.lose()
                return False
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    future, self.future = self.future, None
                    last, self._result = self._result, None
                    if not future.done():
                        if last is None:
                            future.set_exception(ConnectionLost())
                        else:
                            future.set_result(last)
                    if last is None or pgconn.status == pq.ConnStatus.BAD:
                        self.lose()
                    return True
                self._result = result
        except psycopg.OperationalError:
            self.lose()
        return False

    def check(self, now: float) -> None:
        """Closes the connection if the server has, or if its statement takes too long.
        Cancels a read whose client has disconnected, but not behind a pooler, which could have
        given the session to another client when the cancellation arrives.
        """
        self._read()
        if self.future is None:
            return
        seconds = now - self.started
        if seconds > (PROBE_PATIENCE if self.is_probed else DEADLINE):
            self.lose()
        elif self.reader is not None and self.reader.is_gone and seconds > TICK and self._pool.is_preparing:
            # A statement that is about to end anyway costs less than a new connection.
            self._leave(ClientGone())
            self._pool.start(self._cancel())

    def lose(self) -> None:
        """Closes the connection. The pool opens another."""
        if self._leave(ConnectionLost(_sqlstate(self._result))):
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

    def _leave(self, error: Exception) -> bool:
        """Stops using the connection, and ends its statement with the error.
        Returns whether it was in use.
        """
        if self.socket < 0:
            return False
        self._loop.remove_reader(self.socket)
        self._loop.remove_writer(self.socket)
        self.socket = -1
        future, self.future = self.future, None
        if future is not None and not future.done():
            future.set_exception(error)
        return True


class Pool:
    """A few connections, each of which runs one statement at a time,
    and a bounded queue for them.
    """

    def __init__(self, url: str, size: int, queue: int, *, is_preparing: bool = True) -> None:
        self.is_preparing = is_preparing
        self._conninfo = session.address(url)
        self.size = size
        self.queue = queue
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._queue = Queue(size, queue)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut_off = False
        self._background = Background()
        self._closed = False

    async def open(self) -> None:
        """Opens the connections that the server accepts. The others are opened when it does."""
        opened = await asyncio.gather(*(self._connect() for _ in range(self.size)), return_exceptions=True)
        for connection in opened:
            if isinstance(connection, _Connection):
                self._release(connection)
            else:
                self.start(self._reconnect())
        self.start(self._background.run("deadlines", self._watch_deadlines))

    @property
    def is_ready(self) -> bool:
        """Whether at least one connection is open and not silent, and the deadlines of waiting
        requests are watched.
        """
        silent = asyncio.get_running_loop().time() - PROBE_PATIENCE
        answers = any(connection.future is None or connection.started > silent for connection in self._all)
        return answers and not self._background.failing()

    async def execute(
        self,
        statement: Statement,
        values: Sequence[bytes | None],
        *,
        client: Client = PRESENT,
        caller: bytes = ANYBODY,
        is_read_only: bool = False,
        patience: float = PATIENCE,
    ) -> pq.abc.PGresult:
        """Runs the statement in a transaction of its own, and returns its rows.

        If the client disconnects, a statement that waits is not started, and one that only reads
        is cancelled. caller: see Queue. patience: the seconds to wait for a connection.
        Raises Unavailable, ClientGone, ConnectionLost and StatementFailed.
        """
        if self._idle and self._queue.enter(caller):
            connection = self._idle.pop()
        else:
            connection = await self._wait(client, caller, patience)
        connection.reader = client if is_read_only else None
        try:
            result = await connection.execute(statement, values)
            if result.status == pq.ExecStatus.TUPLES_OK:
                return result
            error = _failure(result)
            if error.is_fatal:
                connection.lose()
                raise ConnectionLost(error.sqlstate)
            if error.is_of_session and connection.started - connection.opened > YOUNG:
                connection.lose()
            raise error
        except asyncio.CancelledError:
            # The server is stopping. The next request on this connection must not get its
            # response.
            connection.lose()
            raise StatementAbandoned from None
        finally:
            self._queue.leave(caller)
            self._release(connection)

    async def close(self) -> None:
        """Closes all connections. No request may be running."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for connection in list(self._all):
            connection.lose()

    def replace(self, connection: _Connection) -> None:
        """Removes a lost connection, and opens another as soon as the server can be reached."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._closed:
            self.start(self._reconnect())

    def start(self, work: "asyncio._CoroutineLike[None]") -> None:
        """Runs the work in a task of its own, which ends with the pool at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait(self, client: Client, caller: bytes, patience: float) -> _Connection:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Connection] = loop.create_future()
        now = loop.time()
        try:
            self._queue.put(caller, (now + patience, future, client), now)
            # A timer for each wait would cost more than the wait: _watch_deadlines ends it.
            return await future
        except Crowded:
            await asyncio.sleep(CROWD_PAUSE)
            raise
        except asyncio.CancelledError:
            # If it got a connection in the same moment, that goes back.
            # It may also have ended by its deadline.
            if future.done() and not future.cancelled() and future.exception() is None:
                self._queue.leave(caller)
                self._release(future.result())
            raise

    def _release(self, connection: _Connection) -> None:
        if connection.socket >= 0:
            self._idle.append(connection)
        while self._idle and self._queue and (future := self._queue.take()):
            future.set_result(self._idle.pop())

    async def _probe(self, connection: _Connection) -> None:
        connection.reader = None
        try:
            await connection.execute(_PROBE, ())
        except ConnectionLost:
            return
        finally:
            connection.is_probed = False
        self._release(connection)

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
                self._release(await self._connect())
                self._is_cut_off = False
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
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            for connection in list(self._all):
                connection.check(now)
            for connection in [each for each in self._idle if now > each.started + PROBE]:
                self._idle.remove(connection)
                connection.is_probed = True
                self.start(self._probe(connection))
            if self._queue:
                self._queue.drop(now)


def _sqlstate(result: pq.abc.PGresult | None) -> str:
    state = result.error_field(pq.DiagnosticField.SQLSTATE) if result is not None else None
    return state.decode() if state else ""


def _failure(result: pq.abc.PGresult) -> StatementFailed:
    def text(code: pq.DiagnosticField) -> str | None:
        value = result.error_field(code)
        return value.decode("utf-8", "replace") if value else None

    sqlstate = _sqlstate(result)
    routine = text(pq.DiagnosticField.SOURCE_FUNCTION)
    return StatementFailed(
        sqlstate=sqlstate,
        message=text(pq.DiagnosticField.MESSAGE_PRIMARY) or "",
        detail=text(pq.DiagnosticField.MESSAGE_DETAIL),
        hint=text(pq.DiagnosticField.MESSAGE_HINT),
        constraint=text(pq.DiagnosticField.CONSTRAINT_NAME) or "",
        is_fatal=text(pq.DiagnosticField.SEVERITY_NONLOCALIZED) in ("FATAL", "PANIC"),
        # "cached plan must not change result type"
        is_stale_plan=sqlstate == "0A000" and routine == "RevalidateCachedQuery",
    )
