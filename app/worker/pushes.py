"""The pushes that this worker has leased: it makes each attempt, and reports its outcome."""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import httpx
import psycopg

from app import log
from app.worker.leasing import LeaseLost, report, settled
from app.worker.outbox import Job, Outbox
from app.worker.push import Outcome, push
from app.worker.totals import Totals
from app.worker.vault import Vault, VaultError
from app.worker.vendors import Sent
from app.worker.vendors.known import VENDORS

if TYPE_CHECKING:
    from app.spans import Spans

AT_ONCE = 16
"""Pushes of one worker that run at once. crm.lease_syncs leases fewer of one connection."""

CALL_SECONDS = 5.0
"""Seconds that a call may take, counted from before the database is asked for it
(crm.begin_call).
"""

PATIENCE = 12.0
"""Seconds that a push waits for the permission to call. Less than its lease."""


class Pushes:
    """Makes pushes."""

    def __init__(
        self, outbox: Outbox, vault: Vault, client: httpx.AsyncClient, totals: Totals, spans: "Spans | None"
    ) -> None:
        self._outbox = outbox
        self._vault = vault
        self._http = client
        self._totals = totals
        self._spans = spans

    async def work(self, job: Job) -> None:
        """Makes the attempt. It does not raise."""
        started = time.time_ns()
        try:
            outcome = await self._push(job)
            status = await settled(lambda: self._outbox.settle(job, outcome))
            self._totals.pushes[job.vendor, outcome.outcome, status or "lost"] += 1
            await self._report(job, started, outcome.outcome, sync=status or "lost")
        except LeaseLost:
            await self._report(job, started, "let_go")
        except Exception as error:
            # The lease expires, and the next attempt looks for the record that this one may have
            # created.
            log.failure("The push failed.", error, **_about(job))

    async def _report(self, job: Job, started: int, outcome: str, **members: str) -> None:
        trace_id: str | None = None
        with contextlib.suppress(psycopg.Error):
            trace_id = await self._outbox.trace_id(job)
        report(
            self._spans,
            f"push {job.vendor}",
            started,
            trace_id,
            {**_about(job), "outcome": outcome, **members},
            {"organization_id": job.organization_id, **_about(job), "outcome": outcome},
        )

    async def _push(self, job: Job) -> Outcome:
        async def before(sent: Sent | None) -> float:
            loop = asyncio.get_running_loop()
            end = loop.time() + PATIENCE
            while loop.time() < end:
                deadline = loop.time() + CALL_SECONDS
                try:
                    verdict, wait = await self._outbox.begin_call(job, sent)
                except psycopg.errors.LockNotAvailable:
                    verdict, wait = "wait", 0.25
                if verdict == "go":
                    return deadline
                if verdict != "wait":
                    break
                await asyncio.sleep(wait)
            raise LeaseLost

        try:
            credential = self._vault.decrypt(
                job.credential, key_id=job.credential_key, organization_id=job.organization_id, vendor=job.vendor
            )
        except VaultError as error:
            return Outcome("unauthorized", message=str(error))
        vendor = VENDORS[job.vendor].of(self._http, job.settings, credential, before)
        try:
            return await push(vendor, job.contact, job.open_attempts, job.spellings)
        except (LeaseLost, psycopg.Error):
            raise
        except Exception as error:
            # A bug of the adapter, or a response that it doesn't expect. A call may have been made,
            # so that the outcome is unknown: the next attempt comes after a pause, and the number
            # of attempts is limited.
            log.failure("The adapter failed.", error, **_about(job))
            return Outcome("unknown", message=f"The answer can't be read ({type(error).__name__}).")


def _about(job: Job) -> dict[str, object]:
    return {"sync_id": job.sync_id, "attempt": job.attempt, "vendor": job.vendor}
