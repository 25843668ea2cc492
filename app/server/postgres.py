"""The connections for requests: libpq in the event loop,
with one statement and one round trip per request.

psycopg's asynchronous connection and pool would cost more CPU than the rest of a request together.
This module therefore uses ``psycopg.pq``. Each connection has one permanent reader on its socket,
and prepares each statement once. Behind a pooler, which shares the sessions between clients, no
statement is prepared: another client of the session could give the prepared statement's name to a
statement of its own, which would then receive the next caller's claim.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq

from app import log, session
from app.background import Background

DEADLINE = 15.0
"""Seconds after which a silent connection is closed. PostgreSQL's statement_timeout ends before."""

PATIENCE = 5.0
"""Seconds that a request waits for a connection."""


class Unavailable(Exception):
    """No connection was free in time. Nothing was sent."""


class ConnectionLost(Exception):
    """The connection broke while a statement ran. Whether the statement was executed is unknown."""


@dataclass(eq=False)
class StatementFailed(Exception):
    """PostgreSQL's response is an error. Nothing was done."""

    sqlstate: str
    message: str
    detail: str | None
    hint: str | None
    constraint: str


@dataclass(frozen=True)
class Statement:
    """A statement's text, and the name that each connection prepares it under."""

    name: bytes
    text: bytes


class _Connection:
    __slots__ = ("_loop", "_pool", "_result", "future", "pgconn", "prepared", "socket", "started")

    def __init__(self, pgconn: pq.abc.PGconn, pool: "Pool") -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = pool
        self._result: pq.abc.PGresult | None = None
        self.pgconn = pgconn
        self.prepared: set[bytes] = set()
        self.future: asyncio.Future[pq.abc.PGresult] | None = None
        self.started = 0.0
        pgconn.nonblocking = 1
        self.socket = pgconn.socket
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
        pgconn = self.pgconn
        try:
            pgconn.consume_input()
            if self.future is None:
                # No statement runs: the server has closed the connection,
                # or reports a changed setting.
                if pgconn.status == pq.ConnStatus.BAD:
                    self.lose()
                return
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
                    return
                self._result = result
        except psycopg.OperationalError:
            self.lose()

    def lose(self) -> None:
        """Closes the connection. The pool opens another."""
        if self.socket < 0:
            return
        self._loop.remove_reader(self.socket)
        self._loop.remove_writer(self.socket)
        self.socket = -1
        self.pgconn.finish()
        future, self.future = self.future, None
        if future is not None and not future.done():
            future.set_exception(ConnectionLost())
        self._pool.replace(self)


class Pool:
    """A few connections, each of which runs one statement at a time,
    and a bounded queue for them.
    """

    def __init__(self, url: str, size: int, queue: int, *, is_preparing: bool = True) -> None:
        self.is_preparing = is_preparing
        self._conninfo = session.address(url).encode()
        self._size = size
        self._queue = queue
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._waiting: deque[tuple[float, asyncio.Future[_Connection]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._background = Background()
        self._closed = False

    async def open(self) -> None:
        """Opens all connections. Raises psycopg.OperationalError if the server can't be reached."""
        for connection in await asyncio.gather(*(self._connect() for _ in range(self._size))):
            self._release(connection)
        self._start(self._background.run("deadlines", self._watch_deadlines))

    @property
    def is_ready(self) -> bool:
        """Whether at least one connection is open, and the deadlines of waiting requests are
        watched.
        """
        return bool(self._all) and not self._background.failing()

    async def execute(self, statement: Statement, values: Sequence[bytes | None]) -> pq.abc.PGresult:
        """Runs the statement in a transaction of its own, and returns its rows.

        Raises Unavailable, ConnectionLost and StatementFailed.
        """
        connection = self._idle.pop() if self._idle else await self._wait()
        try:
            result = await connection.execute(statement, values)
        except asyncio.CancelledError:
            # The client has disconnected. The next request on this connection must not get its
            # response.
            connection.lose()
            raise
        finally:
            self._release(connection)
        if result.status == pq.ExecStatus.TUPLES_OK:
            return result
        raise _failure(result)

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
            self._start(self._reconnect())

    async def _wait(self) -> _Connection:
        if len(self._waiting) >= self._queue:
            raise Unavailable
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Connection] = loop.create_future()
        self._waiting.append((loop.time(), future))
        try:
            # A timer for each wait would cost more than the wait: _watch_deadlines ends it.
            return await future
        except asyncio.CancelledError:
            # If it got a connection in the same moment, that goes back.
            # It may also have ended by its deadline.
            if future.done() and not future.cancelled() and future.exception() is None:
                self._release(future.result())
            raise

    def _release(self, connection: _Connection) -> None:
        if connection.socket < 0:
            return
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return
        self._idle.append(connection)

    async def _connect(self) -> _Connection:
        pgconn = await asyncio.get_running_loop().run_in_executor(None, pq.PGconn.connect, self._conninfo)
        if pgconn.status != pq.ConnStatus.OK:
            message = pgconn.get_error_message()
            pgconn.finish()
            raise psycopg.OperationalError(message)
        connection = _Connection(pgconn, self)
        self._all.add(connection)
        return connection

    async def _reconnect(self) -> None:
        delay = 0.1
        while True:
            try:
                self._release(await self._connect())
                return
            except psycopg.OperationalError:
                pass  # the server can't be reached: /readyz shows it
            except Exception as error:
                log.failure("A database connection can't be opened.", error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)

    async def _watch_deadlines(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.25)
            now = loop.time()
            for connection in list(self._all):
                if connection.future is not None and now - connection.started > DEADLINE:
                    connection.lose()
            while self._waiting and now - self._waiting[0][0] > PATIENCE:
                _, future = self._waiting.popleft()
                if not future.done():
                    future.set_exception(Unavailable())

    def _start(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _failure(result: pq.abc.PGresult) -> StatementFailed:
    def text(code: pq.DiagnosticField) -> str | None:
        value = result.error_field(code)
        return value.decode("utf-8", "replace") if value else None

    return StatementFailed(
        sqlstate=text(pq.DiagnosticField.SQLSTATE) or "",
        message=text(pq.DiagnosticField.MESSAGE_PRIMARY) or "",
        detail=text(pq.DiagnosticField.MESSAGE_DETAIL),
        hint=text(pq.DiagnosticField.MESSAGE_HINT),
        constraint=text(pq.DiagnosticField.CONSTRAINT_NAME) or "",
    )
