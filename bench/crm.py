"""The outbox: how many leads a worker pushes per second to a vendor that answers in 50 ms,
and the cost of an idle one.

Each push is a look-up and a call that creates the record: 100 ms at the vendor.
Eight pushes of a connection run at once.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from app.settings import ROOT
from app.worker.vault import new_key, read
from bench import cpu
from bench.database import Database
from bench.figures import BenchmarkError

LEADS = 400
LATENCY = 0.05
"""Seconds that the vendor takes to answer a call."""
IDLE = 60.0
"""Seconds for which an idle worker is measured."""
_KEY = "key-of-the-sandbox-0001"  # the simulator's
_PATIENCE = 120.0


def measure(database: Database, folder: Path) -> dict[str, Any]:
    """Returns the figures. Raises BenchmarkError."""
    key = new_key()
    with _vendor() as url, psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        organization = _connected(database, url, key)
        superuser.execute(
            "insert into app.lead (organization_id, name, email, pipeline_stage) "
            "select %s, 'Lead ' || n, 'push' || n || '@example.com', 'qualified' from generate_series(1, %s) as n",
            [organization, LEADS],
        )
        with working(database, folder / "worker.log", key) as pid:
            postgres_before = cpu.seconds(database.postmaster)
            rate = _rate(superuser, organization)
            worker = cpu.seconds(pid)
            postgres = cpu.seconds(database.postmaster) - postgres_before
            idle = _idle(superuser)
    return {
        "leads": LEADS,
        "latency_ms": LATENCY * 1000,
        "pushes_per_second": rate,
        "worker_ms": worker / LEADS * 1000,
        "postgres_ms": postgres / LEADS * 1000,
        "idle_transactions_per_minute": idle,
    }


def sentences(results: dict[str, Any]) -> list[str]:
    """Returns the figures as sentences."""
    return [
        "Pushes of one worker and one connection to a vendor that answers in {latency_ms:.0f} ms: "
        "{pushes_per_second:.0f} per second. CPU per push: {worker_ms:.1f} ms in the worker (including its start), "
        "{postgres_ms:.1f} ms in PostgreSQL.".format(**results),
        "An idle worker: {idle_transactions_per_minute:.0f} transactions per minute.".format(**results),
    ]


def _connected(database: Database, url: str, key: str) -> UUID:
    with psycopg.connect(database.operator_url, autocommit=True) as operator:
        row = operator.execute("select admin.create_organization('Pushes', 'live')").fetchone()
        organization: UUID = row[0] if row else UUID(int=0)
        credential, key_id = read(key).encrypt(_KEY, organization_id=organization, vendor="jobnimbus")
        settings = {"record_type_name": "Customer", "status_name": "Lead", "base_url": url + "/api1"}
        operator.execute(
            "select admin.connect_crm(%s, 'jobnimbus', 'bench', %s, %s, %s)",
            [organization, json.dumps(settings), credential, key_id],
        )
    return organization


def _rate(superuser: psycopg.Connection[Any], organization: UUID) -> float:
    """Returns the pushes per second, from the first to the last that was completed."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        row = superuser.execute(
            "select count(*), extract(epoch from max(s.last_synced_at) - min(s.last_synced_at)) "
            "from crm.sync as s where s.organization_id = %s and s.status = 'ok'",
            [organization],
        ).fetchone()
        if row and row[0] == LEADS:
            return (LEADS - 1) / float(row[1])
        time.sleep(0.5)
    raise BenchmarkError(f"The pushes were not completed within {_PATIENCE:.0f} s.")


def _idle(superuser: psycopg.Connection[Any]) -> float:
    """Returns the transactions per minute in the database, without the two that measure them."""

    def transactions() -> int:
        superuser.execute("select pg_stat_clear_snapshot()")
        row = superuser.execute(
            "select d.xact_commit + d.xact_rollback from pg_catalog.pg_stat_database as d "
            "where d.datname = current_database()"
        ).fetchone()
        return int(row[0]) if row else 0

    # A session reports its statistics at most once per second, and only when it runs something.
    time.sleep(6)
    before, start = transactions(), time.monotonic()
    time.sleep(IDLE)
    return (transactions() - before - 2) / (time.monotonic() - start) * 60


@contextmanager
def _vendor() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.support.simulator", str(LATENCY)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (process.stdout.readline() if process.stdout else "").strip()
        finally:
            process.terminate()


@contextmanager
def working(database: Database, log: Path, key: str) -> Iterator[int]:
    """Runs a worker during the block. Yields its process id."""
    environ = {"LEADS_WORKER_URL": database.worker_url, "LEADS_CRM_KEY": key, "LEADS_ALLOW_LOOPBACK_VENDORS": "1"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "worker"], cwd=ROOT, env=os.environ | environ, stdout=output, stderr=output
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)
