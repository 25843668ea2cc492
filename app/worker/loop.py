"""The loop: leases what is due, pushes it, says what came of it; sleeps until something is due, or a NOTIFY."""

import asyncio
import contextlib
import time
from collections import Counter
from uuid import UUID

import psycopg

from app import log
from app.worker.calls import client
from app.worker.outbox import Job, Outbox, session_of
from app.worker.push import Outcome, push
from app.worker.vault import Vault, VaultError
from app.worker.vendors import Sent
from app.worker.vendors.known import VENDORS

JOBS = 16
"""Pushes of one worker that are under way at once; of one connection crm.lease_syncs gives fewer."""

POLL = 5.0
"""Seconds after which it looks although nothing has woken it: for leads that were changed in SQL."""

CALL_SECONDS = 5.0
"""Seconds that a call may take, counted from before the database is asked for it (crm.begin_call)."""

PATIENCE = 12.0
"""Seconds for which a push waits to be let call: less than its lease."""

SEAL = 1.0
"""Seconds from one round of the sealer to the next: as long can an event be changed, and no seal shows it."""

_HOUSEKEEPING = 3600.0
_BATCH = 1000
_CHANNEL = "leads_crm"


class LeaseLost(Exception):
    """The push is another worker's, or was given back: nothing more may be done for it here."""


class Worker:
    """Any number of them may work at once, in any number of processes."""

    def __init__(self, url: str, vault: Vault, *, allow_loopback: bool) -> None:
        self._url = url
        self._vault = vault
        self._outbox = Outbox(url, vault.ids)
        # A connection of its own: no push waits for a batch.
        self._sealer = Outbox(url, ())
        self._http = client(allow_loopback=allow_loopback)
        self._awake = asyncio.Event()
        self._stopping = False
        self._running: dict[asyncio.Task[None], UUID] = {}
        """Whose push each task is."""

    def stop(self) -> None:
        """Leases nothing more; what is under way is finished, which takes some seconds. Not for other threads."""
        self._stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Works until stop()."""
        watches = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._keep_house()),
            asyncio.create_task(self._seal()),
        ]
        try:
            while not self._stopping:
                try:
                    pause = await self._turn()
                except psycopg.Error as error:
                    log.write("warning", message=f"The outbox can't be read for now: {type(error).__name__}.")
                    pause = 1.0
                if pause > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._awake.wait()
                self._awake.clear()
            await asyncio.gather(*self._running)
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
            await self._http.aclose()
            await self._outbox.close()
            await self._sealer.close()

    async def _turn(self) -> float:
        """Begins what is due, as far as there is room; the seconds until there is more to do."""
        room = JOBS - len(self._running)
        if room:
            for job in await self._outbox.lease(room, Counter(self._running.values())):
                task = asyncio.create_task(self._work(job))
                self._running[task] = job.organization_id
                task.add_done_callback(self._done)
            room = JOBS - len(self._running)
        due = await self._outbox.seconds_until_due() if room else None
        # What is due, and wasn't leased, is held back by something that ends soon; a push that ends wakes it sooner.
        return POLL if due is None else min(max(due, 0.25 if self._running else 0.05), POLL)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._awake.set()

    async def _work(self, job: Job) -> None:
        about = {"sync_id": job.sync_id, "attempt": job.attempt, "vendor": job.vendor}
        began = time.perf_counter()
        try:
            outcome = await self._push(job)
            status = await self._settle(job, outcome)
            milliseconds = round((time.perf_counter() - began) * 1000)
            log.write("info", **about, outcome=outcome.outcome, sync=status or "lost", ms=milliseconds)
        except LeaseLost:
            log.write("info", **about, outcome="let_go")
        except Exception as error:
            # The lease runs out, and the next attempt looks for what this one may have made.
            log.write("error", **about, message=f"{type(error).__name__}: {error}")

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
            # Of an answer that nobody has foreseen; with a backoff, and an end.
            return Outcome("unknown", message=f"The answer can't be read ({type(error).__name__}).")

    async def _settle(self, job: Job, outcome: Outcome) -> str | None:
        """Says it as long as the lease may stand: a lock, or a database that was away, costs no attempt."""
        for pause in (0.2, 0.5, 1.0, 2.0, 4.0):
            try:
                return await self._outbox.settle(job, outcome)
            except psycopg.OperationalError:
                await asyncio.sleep(pause)
        return await self._outbox.settle(job, outcome)

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(session_of(self._url), autocommit=True) as connection:
                    await connection.execute(f"listen {_CHANNEL}")
                    # What was said while nobody listened.
                    self._awake.set()
                    async for _ in connection.notifies():
                        self._awake.set()
            except psycopg.Error:
                await asyncio.sleep(1.0)

    async def _seal(self) -> None:
        """Seals what was written, organization by organization, round after round."""
        after: UUID | None = None
        has_more = False
        while True:
            try:
                found = await self._sealer.seal(after, _BATCH)
            except psycopg.Error as error:
                log.write("warning", message=f"The audit log can't be sealed for now: {type(error).__name__}.")
                found, has_more = None, False
            if found is not None:
                after = found[0]
                has_more |= found[1] == _BATCH
                continue
            if not has_more:
                await asyncio.sleep(SEAL)
            after, has_more = None, False

    async def _keep_house(self) -> None:
        while True:
            try:
                if count := await self._outbox.connections_without_key():
                    log.write(
                        "warning",
                        message=f"{count} CRM connections are encrypted with a key that isn't here: their pushes wait. "
                        "Bring the key back (LEADS_CRM_KEY), or make them again with: leads crm connect",
                    )
                while await self._outbox.delete_expired_answers(_BATCH) == _BATCH:
                    pass
                await asyncio.sleep(_HOUSEKEEPING)
            except psycopg.Error:
                await asyncio.sleep(60.0)


async def work(url: str, vault: Vault, *, allow_loopback: bool, stop: asyncio.Event) -> None:
    """Works until stop is set, and what is under way is finished."""
    worker = Worker(url, vault, allow_loopback=allow_loopback)
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    stopping.cancel()
    await running
