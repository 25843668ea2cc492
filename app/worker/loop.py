"""The worker: it runs the loops of pushes and of deliveries, seals the audit log and keeps house."""

import asyncio
from functools import partial
from uuid import UUID

import psycopg

from app import log, tracing
from app.background import Background
from app.worker import deliveries, pushes
from app.worker.calls import client
from app.worker.connection import Connection, session_of
from app.worker.deliveries import Deliveries
from app.worker.leasing import Leasing
from app.worker.outbox import Outbox
from app.worker.pushes import Pushes
from app.worker.rounds import Rounds
from app.worker.secrets import Secrets
from app.worker.totals import PERIOD, Totals
from app.worker.vault import Vault
from app.worker.webhook_queue import WebhookQueue

ATTEMPTS = 5
"""Failures in a row after which the worker ends."""

_HOUSEKEEPING = 3600.0
_BATCH = 1000
CHANNEL = "leads_work"
"""The database notifies this channel when a push or a delivery is due, or a connection has changed."""


class Worker:
    """Any number of workers may run at once, in any number of processes."""

    def __init__(self, url: str, vault: Vault, *, allow_loopback: bool, totals: Totals | None = None) -> None:
        """totals: what the metrics show. None: there are none, and the database is not read for them."""
        self._totals = Totals() if totals is None else totals
        self._has_metrics = totals is not None
        self._url = url
        self._vault = vault
        # Connections of their own, so that no push and no delivery waits for a batch of seals,
        # and none waits for the other.
        for_pushes, for_deliveries, for_seals, for_metrics = self._connections = [Connection(url) for _ in range(4)]
        self._outbox = Outbox(for_pushes, vault.ids)
        self._webhooks = WebhookQueue(for_deliveries, vault.ids)
        self._sealer = Outbox(for_seals)
        self._queuer = WebhookQueue(for_seals, vault.ids)
        self._reader = Outbox(for_metrics)
        # Two clients, so that receivers that don't answer leave the vendors' connections and look-ups free.
        self._clients = [client(allow_loopback=allow_loopback) for _ in range(2)]
        self._spans = tracing.start("leads-worker")
        self._background = Background(attempts=ATTEMPTS)
        self._announced = asyncio.Event()
        self._secrets = Secrets(self._queuer, vault)
        # Seals events, stores words, counts stays, and queues deliveries.
        self._rounds = {
            task: Rounds(task, self._sealer.queued_organizations, work, self._totals)
            for task, work in (
                ("sealer", self._sealer.seal),
                ("indexer", self._sealer.index),
                ("counter", self._sealer.count),
                ("queuer", self._queue),
            )
        }
        self._pushes = Leasing(
            self._outbox,
            Pushes(self._outbox, vault, self._clients[0], self._totals, self._spans).work,
            at_once=pushes.AT_ONCE,
            show=partial(self._totals.running.__setitem__, "pushes"),
        )
        self._deliveries = Leasing(
            self._webhooks,
            Deliveries(self._webhooks, vault, self._clients[1], self._totals, self._spans).work,
            at_once=deliveries.AT_ONCE,
            show=partial(self._totals.running.__setitem__, "deliveries"),
        )

    def stop(self) -> None:
        """Leases nothing more. The pushes and deliveries that run are finished, which takes some seconds.
        Not thread-safe.
        """
        self._pushes.stop()
        self._deliveries.stop()

    async def run(self) -> None:
        """Works until stop(). Raises GivenUp if one of its tasks fails ATTEMPTS times in a row."""
        try:
            async with asyncio.TaskGroup() as tasks:
                watches = [
                    tasks.create_task(self._background.run(name, work))
                    for name, work in (
                        ("announcer", self._announce),
                        ("listener", self._listen),
                        ("housekeeping", self._clean_up),
                        ("secrets", self._seal_secrets),
                        *((task, rounds.run) for task, rounds in self._rounds.items()),
                    )
                ]
                if self._has_metrics:
                    watches.append(tasks.create_task(self._background.run("metrics", self._read)))
                delivering = tasks.create_task(self._background.run("deliveries", self._deliveries.run))
                await self._background.run("pushes", self._pushes.run)
                await delivering
                for watch in watches:
                    watch.cancel()
        except ExceptionGroup as group:
            # Only Background.run raises here, and all its errors mean the same.
            raise group.exceptions[0] from None
        finally:
            await asyncio.gather(self._pushes.finish(), self._deliveries.finish())
            for http in self._clients:
                await http.aclose()
            for connection in self._connections:
                await connection.close()
            if self._spans is not None:
                await asyncio.to_thread(self._spans.close)

    async def _listen(self) -> None:
        while True:
            async with await psycopg.AsyncConnection.connect(session_of(self._url), autocommit=True) as connection:
                await connection.execute(f"listen {CHANNEL}")
                # For what was notified before we listened.
                self._wake()
                async for _ in connection.notifies():
                    self._wake()

    def _wake(self) -> None:
        self._pushes.wake()
        self._deliveries.wake()

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

    async def _queue(self, organization_id: UUID, batch: int) -> int | None:
        queued = await self._queuer.queue(organization_id, batch)
        if queued is not None:
            self._deliveries.wake()
        return queued

    async def _announce(self) -> None:
        """Announces the public keys of this worker, once."""
        await self._queuer.announce_keys(self._vault.public_keys())
        self._announced.set()

    async def _seal_secrets(self) -> None:
        # Before, the key to seal to may be another worker's.
        await self._announced.wait()
        await self._secrets.run()

    async def _clean_up(self) -> None:
        """Creates partitions, queues seals, warns of missing keys, and deletes what has expired, once an hour."""
        while True:
            await self._outbox.queue_seals()
            await self._outbox.create_audit_partitions()
            if count := await self._outbox.connections_without_key():
                log.write(
                    "warning",
                    message=f"{count} CRM connections are encrypted with a key that isn't here: their pushes wait. "
                    "Bring the key back (LEADS_CRM_KEY), or make them again with: leads crm connect",
                )
            if count := await self._webhooks.endpoints_without_key():
                log.write(
                    "warning",
                    message=f"The secrets of {count} webhooks were sealed to a key that isn't here: their deliveries "
                    "wait. Bring the key back (LEADS_CRM_KEY), or replace them with: leads webhooks rotate-secret",
                )
            for delete in (
                self._outbox.delete_expired_answers,
                self._outbox.delete_old_submissions,
                self._webhooks.delete_old,
            ):
                while await delete(_BATCH) == _BATCH:
                    pass
            await asyncio.sleep(_HOUSEKEEPING)


async def work(
    url: str, vault: Vault, *, allow_loopback: bool, stop: asyncio.Event, totals: Totals | None = None
) -> None:
    """Works until stop is set and the pushes and deliveries that run are finished. Raises GivenUp."""
    worker = Worker(url, vault, allow_loopback=allow_loopback, totals=totals)
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    stopping.cancel()
    await running
