"""A connection to the database on which the worker calls functions, each in a transaction of its own."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row

from app import schema_change, session

Call = Callable[..., Awaitable[list[Any]]]
"""Calls a function with arguments, and returns its rows."""

SESSION = session.ALL | {
    "idle_in_transaction_session_timeout": "10000",
    # Short, because one connection serves all pushes. A push that meets a lock tries again.
    "lock_timeout": "250",
    "statement_timeout": "10000",
    # What is committed before a call must survive a crash.
    "synchronous_commit": "on",
}
"""Settings of the worker's sessions."""

PATIENCE = 15.0
"""Seconds after which a connection that doesn't answer is closed. PostgreSQL's statement_timeout ends
before. Without this, a host that hangs, or that has gone without a word, would stop the worker for
hours, also after another host has become the primary.
"""


def session_of(url: str) -> str:
    """The connection string of a worker's session."""
    return session.address(url, SESSION, "leads-worker")


class Connection:
    """A connection that is opened again after a loss."""

    def __init__(self, url: str) -> None:
        self._conninfo = session_of(url)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    async def call(self, function: str, *arguments: Any) -> list[Any]:
        """The rows of a function's result. If the schema changes beneath it, it runs again.
        Raises psycopg.Error.
        """
        statement = f"select * from {function}({', '.join(['%s'] * len(arguments))})"
        async with self._lock:
            sqlstate = ""
            for pause in (*schema_change.PAUSES, None):
                try:
                    rows = await self._run(statement, arguments)
                except psycopg.Error as error:
                    state = error.sqlstate or ""
                    if pause is None or not schema_change.is_of_schema(state, error.diag.source_function or ""):
                        raise
                    sqlstate = sqlstate or state
                    # psycopg has prepared the statement, which may fail for good.
                    await self.close()
                    await asyncio.sleep(pause)
                else:
                    if sqlstate:
                        schema_change.report(sqlstate, function)
                    return rows
            raise AssertionError

    async def _run(self, statement: str, arguments: Sequence[Any]) -> list[Any]:
        connection = self._connection
        if connection is None or connection.closed:
            connection = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, row_factory=namedtuple_row
            )
            self._connection = connection
        timer = asyncio.get_running_loop().call_later(PATIENCE, _hang_up, connection)
        try:
            cursor = await connection.execute(statement, arguments)
            return await cursor.fetchall()
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            await self._connection.close()


async def call_for(call: Call, function: str, organization_id: UUID, batch: int) -> int | None:
    """Calls a function that works for the first organization with an id after one and until another, so that
    this is the organization or none. Returns how much was done; None: the function has taken no organization.
    """
    before = UUID(int=max(organization_id.int - 1, 0))
    rows = await call(function, before, batch, organization_id)
    return int(rows[0][1]) if rows else None


def _hang_up(connection: psycopg.AsyncConnection[Any]) -> None:
    """Ends a connection whose statement runs: it fails as if the server had closed the connection.
    A cancellation of the task would not help, because psycopg then waits for the statement's end.
    """
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
