"""The worker's loop: it leases the pushes that are due, makes them, and reports their outcomes.

Between two rounds it sleeps until a push is due or the database notifies it.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

import psycopg

from app import log, tracing
from app.background import Background
from app.worker.calls import client
from app.worker.outbox import Job, Outbox, session_of
from app.worker.push import Outcome, push
from app.worker.totals import PERIOD, Totals
from app.worker.vault import Vault, VaultError
from app.worker.vendors import Sent
from app.worker.vendors.known import VENDORS

JOBS = 16
"""Pushes of one worker that run at once. crm.lease_syncs leases fewer of one connection."""

POLL = 5.0
"""Seconds after which the worker looks for pushes even without a notification:
for leads that were changed in SQL.
"""

CALL_SECONDS = 5.0
"""Seconds that a call may take, counted from before the database is asked for it
(crm.begin_call).
"""

PATIENCE = 12.0
"""Seconds that a push waits for the permission to call. Less than its lease."""

SEAL = 1.0
"""Seconds between two rounds of the sealer.
For that long an event can be changed without a seal that shows it.
"""

ATTEMPTS = 5
"""Failures in a row after which the worker ends."""

_HOUSEKEEPING = 3600.0
_BATCH = 1000
_CHANNEL = "leads_crm"


class LeaseLost(Exception):
    """Another worker has the lease now, or the lease was returned.
    This worker must do nothing more for the push.
    """


class Worker:
    """Any number of workers may run at once, in any number of processes."""

    def __init__(self, url: str, vault: Vault, *, allow_loopback: bool, totals: Totals | None = None) -> None:
        """totals: what the metrics show. None: there are none, and the database is not read for them."""
        self._totals = Totals() if totals is None else totals
        self._has_metrics = totals is not None
        self._url = url
        self._vault = vault
        self._outbox = Outbox(url, vault.ids)
        # On a connection of its own, so that no push waits for a batch of seals.
        self._sealer = Outbox(url, ())
        self._reader = Outbox(url, ())
        self._http = client(allow_loopback=allow_loopback)
        self._spans = tracing.start("leads-worker")
        self._background = Background(attempts=ATTEMPTS)
        self._awake = asyncio.Event()
        self._stopping = False
        self._running: dict[asyncio.Task[None], UUID] = {}
        """The organization of each push that runs."""

    def stop(self) -> None:
        """Leases nothing more. The pushes that run are finished, which takes some seconds.
        Not thread-safe.
        """
        self._stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Works until stop(). Raises GivenUp if one of its tasks fails ATTEMPTS times in a row."""
        try:
            async with asyncio.TaskGroup() as tasks:
                watches = [
                    tasks.create_task(self._background.run(name, work))
                    for name, work in (
                        ("listener", self._listen),
                        ("housekeeping", self._clean_up),
                        ("sealer", partial(self._go_round, "sealer", self._sealer.seal)),
                        ("indexer", partial(self._go_round, "indexer", self._sealer.index)),
                        ("counter", partial(self._go_round, "counter", self._sealer.count)),
                    )
                ]
                if self._has_metrics:
                    watches.append(tasks.create_task(self._background.run("metrics", self._read)))
                await self._background.run("pushes", self._push_until_stopped)
                for watch in watches:
                    watch.cancel()
        except ExceptionGroup as group:
            # Only Background.run raises here, and all its errors mean the same.
            raise group.exceptions[0] from None
        finally:
            await asyncio.gather(*self._running)
            await self._http.aclose()
            await self._outbox.close()
            await self._sealer.close()
            await self._reader.close()
            if self._spans is not None:
                await asyncio.to_thread(self._spans.close)

    async def _push_until_stopped(self) -> None:
        while not self._stopping:
            try:
                pause = await self._lease()
            except psycopg.Error as error:
                log.write("warning", message=f"The outbox can't be read for now: {type(error).__name__}.")
                pause = 1.0
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._awake.wait()
            self._awake.clear()

    async def _lease(self) -> float:
        """Starts pushes that are due, up to JOBS. Returns the seconds until there is more to do."""
        room = JOBS - len(self._running)
        if room:
            for job in await self._outbox.lease(room, Counter(self._running.values())):
                task = asyncio.create_task(self._work(job))
                self._running[task] = job.organization_id
                task.add_done_callback(self._done)
                self._totals.running = len(self._running)
            room = JOBS - len(self._running)
        due = await self._outbox.seconds_until_due() if room else None
        # A push that is due and wasn't leased is held back for a short time.
        # A push that ends wakes the loop sooner.
        return POLL if due is None else min(max(due, 0.25 if self._running else 0.05), POLL)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._totals.running = len(self._running)
        self._awake.set()

    async def _work(self, job: Job) -> None:
        started = time.time_ns()
        try:
            outcome = await self._push(job)
            status = await self._settle(job, outcome)
            self._totals.pushes[job.vendor, outcome.outcome, status or "lost"] += 1
            await self._report(job, started, outcome.outcome, sync=status or "lost")
        except LeaseLost:
            await self._report(job, started, "let_go")
        except Exception as error:
            # The lease expires, and the next attempt looks for the record that this one may have
            # created.
            log.failure("The push failed.", error, **_about(job))

    async def _report(self, job: Job, started: int, outcome: str, **members: str) -> None:
        """Writes the attempt's line and span. started: nanoseconds since 1970."""
        ended = time.time_ns()
        trace_id: str | None = None
        with contextlib.suppress(psycopg.Error):
            trace_id = await self._outbox.trace_id(job)
        trace = {"trace_id": trace_id} if trace_id else {}
        log.write("info", **_about(job), outcome=outcome, **members, ms=round((ended - started) / 1e6), **trace)
        if self._spans is not None:
            attributes: dict[str, str | int | float] = {
                "leads.organization_id": str(job.organization_id),
                "leads.sync_id": str(job.sync_id),
                "leads.attempt": job.attempt,
                "leads.vendor": job.vendor,
                "leads.outcome": outcome,
            }
            self._spans.add_root(f"push {job.vendor}", trace_id, started, ended, attributes)

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

    async def _settle(self, job: Job, outcome: Outcome) -> str | None:
        """Reports the outcome, and tries for as long as the lease may last:
        a lock must not cost an attempt.
        """
        for pause in (0.2, 0.5, 1.0, 2.0, 4.0):
            try:
                return await self._outbox.settle(job, outcome)
            except psycopg.OperationalError:
                await asyncio.sleep(pause)
        return await self._outbox.settle(job, outcome)

    async def _listen(self) -> None:
        while True:
            async with await psycopg.AsyncConnection.connect(session_of(self._url), autocommit=True) as connection:
                await connection.execute(f"listen {_CHANNEL}")
                # For what was notified before we listened.
                self._awake.set()
                async for _ in connection.notifies():
                    self._awake.set()

    async def _read(self) -> None:
        """Reads the figures of the database for the metrics. While that fails, there are none."""
        is_logged = False
        while True:
            try:
                self._totals.take(await self._reader.figures())
                is_logged = False
            except psycopg.errors.LockNotAvailable:
                pass  # a migration has locked a table; the time of the figures tells their age
            except psycopg.Error as error:
                if not is_logged:
                    is_logged = True
                    log.write(
                        "warning", message=f"The metrics can't be read from the database: {type(error).__name__}."
                    )
                self._totals.figures = None
            await asyncio.sleep(PERIOD)

    async def _go_round(
        self, name: str, work: Callable[[UUID | None, int], Awaitable[tuple[UUID, int] | None]]
    ) -> None:
        """Seals events, stores words, or counts stays, of one organization after another, round after round."""
        after: UUID | None = None
        has_more = False
        while True:
            batch = await work(after, _BATCH)
            if batch is not None:
                after, count = batch
                has_more |= count == _BATCH
                continue
            self._totals.rounds[name] = time.time()
            if not has_more:
                await asyncio.sleep(SEAL)
            after, has_more = None, False

    async def _clean_up(self) -> None:
        """Creates partitions, queues seals, warns of missing keys, and deletes expired answers, once an hour."""
        while True:
            await self._outbox.queue_seals()
            await self._outbox.create_audit_partitions()
            if count := await self._outbox.connections_without_key():
                log.write(
                    "warning",
                    message=f"{count} CRM connections are encrypted with a key that isn't here: their pushes wait. "
                    "Bring the key back (LEADS_CRM_KEY), or make them again with: leads crm connect",
                )
            while await self._outbox.delete_expired_answers(_BATCH) == _BATCH:
                pass
            while await self._outbox.delete_old_submissions(_BATCH) == _BATCH:
                pass
            await asyncio.sleep(_HOUSEKEEPING)


def _about(job: Job) -> dict[str, object]:
    return {"sync_id": job.sync_id, "attempt": job.attempt, "vendor": job.vendor}


async def work(
    url: str, vault: Vault, *, allow_loopback: bool, stop: asyncio.Event, totals: Totals | None = None
) -> None:
    """Works until stop is set and the pushes that run are finished. Raises GivenUp."""
    worker = Worker(url, vault, allow_loopback=allow_loopback, totals=totals)
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    stopping.cancel()
    await running
