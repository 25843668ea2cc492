"""Webhooks: a receiver that is down for an hour under 10 changes a second, and what another
organization notices of it.

The hour is simulated: the changes are made as fast as PostgreSQL takes them, and the times of the
deliveries are moved back. Afterwards every event must arrive, in the order of the changes of a lead.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import psycopg

from app.sealing import new_secret, seal
from app.worker.vault import new_key, read
from bench import cpu
from bench.crm import working
from bench.database import Database
from bench.figures import BenchmarkError
from bench.measure import Say
from tests.support import hooks
from tests.support.hooks import Hooks

LEADS = 500
CHANGES = 72
"""Of each lead: 36,000 together, 10 a second for an hour."""
SLICES = 6
SAMPLES = 15
"""Changes of the other organization, one after another, whose way to its receiver is timed."""
_PATIENCE = 3600.0


def measure(database: Database, folder: Path, say: Say) -> dict[str, Any]:
    """Returns the figures. Raises BenchmarkError if an event is lost or comes too early."""
    key = new_key()
    with (
        hooks.receiving() as receiver,
        hooks.receiving() as others,
        psycopg.connect(database.superuser_url, autocommit=True) as superuser,
        working(database, folder / "worker.log", key) as pid,
    ):
        organization = _organization(superuser, database, receiver, key)
        other = _organization(superuser, database, others, key)
        _add_leads(superuser, other, 1)
        idle = _latency(superuser, other, others)
        say(f"webhooks: {LEADS * CHANGES:,} changes while the receiver is down")
        receiver.down()
        _add_leads(superuser, organization, LEADS)
        for _ in range(SLICES):
            for _ in range(CHANGES // SLICES):
                superuser.execute(
                    "update app.lead set company = clock_timestamp()::text where organization_id = %s", [organization]
                )
            _wait(
                superuser,
                "select not exists (select from audit.unsealed) and not exists (select from webhook.unqueued_batch)",
            )
            superuser.execute(
                "update webhook.endpoint set failing_since = failing_since - interval '10 minutes', "
                "paused_until = paused_until - interval '10 minutes'"
            )
            superuser.execute(
                "update webhook.delivery set next_attempt_at = next_attempt_at - interval '10 minutes', "
                "begun_at = begun_at - interval '10 minutes' where state = 'pending' and leased_until is null"
            )
        down = _latency(superuser, other, others)
        say("webhooks: the receiver is up again")
        receiver.up()
        superuser.execute("update webhook.endpoint set paused_until = now()")
        superuser.execute("notify leads_work")
        started, before = time.monotonic(), cpu.seconds(pid)
        postgres_before = cpu.seconds(database.postmaster)
        up = _latency(superuser, other, others)
        left = f"select from webhook.delivery where organization_id = '{organization}' and state = 'pending'"
        _wait(superuser, f"select not exists ({left})")
        seconds = time.monotonic() - started
        worker, postgres = cpu.seconds(pid) - before, cpu.seconds(database.postmaster) - postgres_before
        events = _check(superuser, organization, receiver)
    return {
        "events": events,
        "seconds": seconds,
        "per_second": events / seconds,
        "worker_ms": worker / events * 1000,
        "postgres_ms": postgres / events * 1000,
        "idle_s": idle,
        "down_s": down,
        "up_s": up,
    }


def sentences(results: dict[str, Any]) -> list[str]:
    """Returns the figures as sentences."""
    return [
        "A webhook whose receiver was down for an hour gets {events:,} events in {seconds:.0f} s ({per_second:.0f} per "
        "second), all of them, and those of each lead in order. CPU per event: {worker_ms:.1f} ms in the worker, "
        "{postgres_ms:.1f} ms in PostgreSQL.".format(**results),
        "From a change to another organization's receiver, median: {idle_s:.2f} s before, {down_s:.2f} s while that "
        "receiver is down, {up_s:.2f} s while it gets what it has missed (ratios {0:.2f} and {1:.2f}).".format(
            results["down_s"] / results["idle_s"], results["up_s"] / results["idle_s"], **results
        ),
    ]


def _organization(superuser: psycopg.Connection[Any], database: Database, receiver: Hooks, key: str) -> UUID:
    with psycopg.connect(database.operator_url, autocommit=True) as operator:
        row = operator.execute("select admin.create_organization('Webhooks', 'live')").fetchone()
    organization: UUID = row[0] if row else UUID(int=0)
    vault, secret = read(key), new_secret()
    receiver.secrets["/hook"] = secret
    superuser.execute(
        "insert into webhook.endpoint (organization_id, url, position, secret, secret_key) values (%s, %s, 0, %s, %s)",
        [organization, receiver.url("/hook"), seal(secret, vault.public_keys()[0]), vault.ids[0]],
    )
    return organization


def _add_leads(superuser: psycopg.Connection[Any], organization: UUID, number: int) -> None:
    superuser.execute(
        "insert into app.lead (organization_id, name, email) "
        "select %s, 'Lead ' || n, 'lead' || n || '@example.com' from generate_series(1, %s) as n",
        [organization, number],
    )


def _latency(superuser: psycopg.Connection[Any], organization: UUID, receiver: Hooks) -> float:
    """Returns the median of the seconds from a change to its arrival."""
    seconds = []
    for _ in range(SAMPLES):
        arrived = len(receiver.messages)
        start = time.monotonic()
        superuser.execute(
            "update app.lead set company = clock_timestamp()::text where organization_id = %s", [organization]
        )
        _until(lambda: len(receiver.messages) > arrived)  # noqa: B023
        seconds.append(receiver.messages[arrived].at - start)
        time.sleep(0.05)
    return median(seconds)


def _check(superuser: psycopg.Connection[Any], organization: UUID, receiver: Hooks) -> int:
    positions = [
        row[0]
        for row in superuser.execute(
            "select s.position from audit.seal as s join audit.event as e "
            "on e.organization_id = s.organization_id and e.id = s.event_id and e.created_at = s.created_at "
            "join webhook.endpoint as p on p.organization_id = s.organization_id and s.created_at >= p.created_at "
            "where s.organization_id = %s order by s.position",
            [organization],
        )
    ]
    arrived = [message.body["data"] for message in receiver.of("/hook")]
    if sorted(data["position"] for data in arrived) != positions:
        raise BenchmarkError(f"{len(positions):,} events were sent, and {len(arrived):,} have arrived.")
    last: dict[str, int] = {}
    for data in arrived:
        if last.get(data["lead_id"], 0) > data["position"]:
            raise BenchmarkError(f"An event of the lead {data['lead_id']} came too late.")
        last[data["lead_id"]] = data["position"]
    if receiver.invalid:
        raise BenchmarkError(f"{len(receiver.invalid)} signatures are not valid.")
    return len(arrived)


def _wait(superuser: psycopg.Connection[Any], query: str) -> None:
    def is_true() -> bool:
        row = superuser.execute(query.encode()).fetchone()
        return bool(row and row[0])

    _until(is_true, 0.2)


def _until(is_done: Callable[[], bool], pause: float = 0.002) -> None:
    end = time.monotonic() + _PATIENCE
    while not is_done():
        if time.monotonic() > end:
            raise BenchmarkError(f"The deliveries were not completed within {_PATIENCE:.0f} s.")
        time.sleep(pause)
