"""The database functions that the worker calls for pushes, for the audit log and for its housekeeping."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.worker.connection import Connection, call_for
from app.worker.push import Outcome
from app.worker.totals import Figure
from app.worker.vendors import Contact, Sent


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


class Outbox:
    """The functions, on one connection. They raise psycopg.Error."""

    def __init__(self, connection: Connection, key_ids: Sequence[str] = ()) -> None:
        self._call = connection.call
        self._key_ids = list(key_ids)

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

    async def queued_organizations(self, task: str, after: UUID | None, batch: int) -> list[UUID]:
        """The next organizations after one for which a task of the worker has something to do."""
        return [row[0] for row in await self._call("admin.queued_organizations", task, after, batch)]

    async def seal(self, organization_id: UUID, batch: int) -> int | None:
        """Seals events of an organization, and returns their number. None: another worker seals them."""
        return await call_for(self._call, "admin.seal_events", organization_id, batch)

    async def index(self, organization_id: UUID, batch: int) -> int | None:
        """Stores the words of leads of an organization, and returns their number. None: no lead waits."""
        return await call_for(self._call, "admin.index_leads", organization_id, batch)

    async def figures(self) -> list[Figure]:
        """Numbers about the whole installation."""
        return [Figure(row.name, row.label, row.value) for row in await self._call("admin.service_figures")]

    async def count(self, organization_id: UUID, batch: int) -> int | None:
        """Writes the stays in stages from sealed events of an organization, and returns the number of events.
        None: another worker counts them, or they can't be counted in the organization's time zone.
        """
        return await call_for(self._call, "admin.count_stages", organization_id, batch)

    async def queue_seals(self) -> None:
        """Queues the seals that no other function has queued for ``count``."""
        await self._call("admin.queue_seals")


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
