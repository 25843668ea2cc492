"""The database functions that the worker calls. Each call is a transaction of its own."""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from app import session
from app.worker.push import Outcome
from app.worker.totals import Figure
from app.worker.vendors import Contact, Sent

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


@dataclass(frozen=True)
class Job:
    """A push that this worker has leased."""

    organization_id: UUID
    sync_id: UUID
    attempt: int
    """The attempt's number. An attempt whose lease has passed to another worker has an older
    number.
    """
    vendor: str
    settings: dict[str, Any]
    credential: bytes
    credential_key: str
    contact: Contact
    open_attempts: tuple[Sent, ...]
    spellings: tuple[str, ...]
    """Other spellings of the lead's address, which the vendor's records may have."""


def session_of(url: str) -> str:
    """The connection string of a worker's session."""
    return session.address(url, SESSION, "leads-worker")


class Outbox:
    """The functions, on one connection, which is opened again after a loss.
    They raise psycopg.Error.
    """

    def __init__(self, url: str, key_ids: Sequence[str]) -> None:
        self._conninfo = session_of(url)
        self._key_ids = list(key_ids)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    async def lease(self, batch: int, running: Counter[UUID]) -> list[Job]:
        """Leases up to batch pushes that are due.
        running: this worker's running pushes by organization.
        """
        counts = Jsonb({str(organization_id): count for organization_id, count in running.items()})
        return [_job(row) for row in await self._call("crm.lease_syncs", self._key_ids, batch, counts)]

    async def seconds_until_due(self) -> float | None:
        """The seconds until the next push is due. Negative: it is due already.
        None: no push waits.
        """
        seconds = (await self._call("crm.seconds_until_due", self._key_ids))[0][0]
        return None if seconds is None else float(seconds)

    async def connections_without_key(self) -> int:
        """The number of active connections whose credential none of this worker's keys can
        decrypt.
        """
        return int((await self._call("crm.connections_without_key", self._key_ids))[0][0])

    async def begin_call(self, job: Job, sent: Sent | None) -> tuple[str, float]:
        """The verdict of crm.begin_call, and the seconds to wait."""
        record = (sent.display_name, sent.email) if sent else (None, None)
        row = (await self._call("crm.begin_call", job.organization_id, job.sync_id, job.attempt, *record))[0]
        return row.verdict, float(row.wait_seconds or 0)

    async def settle(self, job: Job, outcome: Outcome) -> str | None:
        """The sync's status after the attempt. None: the lease had passed to another worker."""
        rows = await self._call(
            "crm.settle_attempt",
            job.organization_id,
            job.sync_id,
            job.attempt,
            outcome.outcome,
            outcome.external_id,
            outcome.http_status,
            outcome.message,
            outcome.retry_after,
        )
        status: str | None = rows[0][0]
        return status

    async def trace_id(self, job: Job) -> str | None:
        """The trace of the request that has asked for the push. None: it is not known."""
        rows = await self._call("crm.trace_id", job.organization_id, job.sync_id)
        trace_id: str | None = rows[0][0]
        return trace_id

    async def create_audit_partitions(self) -> None:
        """Creates the audit log's partitions of this year and the next one, unless they exist."""
        await self._call("admin.create_audit_partitions")

    async def delete_expired_answers(self, batch: int) -> int:
        """Deletes stored responses that have expired. Returns their number."""
        return int((await self._call("admin.delete_expired_answers", batch))[0][0])

    async def delete_old_submissions(self, batch: int) -> int:
        """Deletes what forms have received, after 30 days. Returns the number of submissions."""
        return int((await self._call("admin.delete_old_submissions", batch))[0][0])

    async def seal(self, after: UUID | None, batch: int) -> tuple[UUID, int] | None:
        """Seals events of the next organization: its id and their number.
        None: no organization follows.
        """
        rows = await self._call("admin.seal_events", after, batch)
        return (rows[0].organization_id, rows[0].sealed) if rows else None

    async def index(self, after: UUID | None, batch: int) -> tuple[UUID, int] | None:
        """Stores the words of leads of the next organization: its id and their number.
        None: no organization follows.
        """
        rows = await self._call("admin.index_leads", after, batch)
        return (rows[0].organization_id, rows[0].indexed) if rows else None

    async def figures(self) -> list[Figure]:
        """Numbers about the whole installation."""
        return [Figure(row.name, row.label, row.value) for row in await self._call("admin.service_figures")]

    async def count(self, after: UUID | None, batch: int) -> tuple[UUID, int] | None:
        """Writes the stays in stages from sealed events of the next organization: its id and the
        number of events. None: no organization follows.
        """
        rows = await self._call("admin.count_stages", after, batch)
        return (rows[0].organization_id, rows[0].counted) if rows else None

    async def queue_seals(self) -> None:
        """Queues the seals that no other function has queued for ``count``."""
        await self._call("admin.queue_seals")

    async def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _call(self, function: str, *arguments: Any) -> list[Any]:
        statement = f"select * from {function}({', '.join(['%s'] * len(arguments))})"
        async with self._lock:
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


def _hang_up(connection: psycopg.AsyncConnection[Any]) -> None:
    """Ends a connection whose statement runs: it fails as if the server had closed the connection.
    A cancellation of the task would not help, because psycopg then waits for the statement's end.
    """
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


def _job(row: Any) -> Job:
    return Job(
        organization_id=row.organization_id,
        sync_id=row.sync_id,
        attempt=row.attempt,
        vendor=row.vendor,
        settings=row.settings,
        credential=row.credential,
        credential_key=row.credential_key,
        contact=Contact(**row.contact),
        open_attempts=tuple(Sent(**attempt) for attempt in row.open_attempts),
        spellings=tuple(row.spellings),
    )
