"""``python -m bench.sizing``: the disk and the write-ahead log that a created lead, a change and a
form's submission take.

The database has 100 organizations with leads, so that indexes grow as in production: in many places,
not only at their end. The requests go to all organizations in turn. Then a worker seals the events and
stores the words. A figure is the growth of the relations, after VACUUM, divided by the requests.

The log is measured separately for the requests and for the worker, and each in two halves. The first
half begins with a checkpoint, after which PostgreSQL logs each page whole that it changes for the
first time. The second half has few of these.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import psycopg
from rich.console import Console
from rich.table import Table

from app.settings import ROOT
from bench import database, server
from bench.connection import Connection, request
from bench.database import Database
from bench.figures import BenchmarkError
from tests.support import pushing

CLIENTS = 8
_PATIENCE = 120.0

# A partition counts as its table, and a TOAST table and an index as the table that has them.
_SIZES = """
select coalesce(i.inhparent, c.oid)::regclass::text as name, sum(pg_total_relation_size(c.oid))::bigint as bytes
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
left join pg_catalog.pg_inherits as i on i.inhrelid = c.oid
where c.relkind = 'r' and n.nspname in ('app', 'audit', 'auth', 'crm', 'intake', 'scoring', 'webhook')
group by 1
"""
_UNDONE = "select 1 where exists (select from audit.unsealed) or exists (select from app.unindexed_lead)"

Send = Callable[[int], tuple[bytes, int]]
"""Returns a request by its number, and the status of its response."""


class Site:
    """A server on the database. Each phase runs its own worker."""

    def __init__(self, data: Database, base: str, folder: Path) -> None:
        self.data, self.base, self.folder = data, base, folder

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs a statement as a superuser."""
        with psycopg.connect(self.data.superuser_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def sizes(self) -> dict[str, int]:
        """The bytes of each table, after VACUUM."""
        self.data.tidy()
        return {str(name).partition(".")[2]: int(size) for name, size in self.sql(_SIZES)}

    def position(self) -> int:
        """The end of the write-ahead log, in bytes."""
        return int(self.sql("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0])

    def send(self, numbers: Sequence[int], send: Send) -> None:
        """Sends the requests, with several clients. Raises BenchmarkError if one fails."""

        async def use(own: Sequence[int]) -> None:
            async with Connection(self.base) as connection:
                for number in own:
                    data, expected = send(number)
                    answer = await connection.exchange(data)
                    if answer.status != expected:
                        raise BenchmarkError(f"A request was answered {answer.status}: {answer.body[:200]!r}")

        async def all_() -> None:
            await asyncio.gather(*(use(numbers[client::CLIENTS]) for client in range(CLIENTS)))

        asyncio.run(all_())

    def work(self) -> None:
        """Runs a worker until all events are sealed and all words are stored. Raises BenchmarkError."""
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app", "worker"],
                cwd=ROOT,
                env={**os.environ, "LEADS_WORKER_URL": self.data.worker_url, **pushing.ENVIRON},
                stdout=log,
                stderr=log,
            )
        try:
            end = time.monotonic() + _PATIENCE
            while self.sql(_UNDONE):
                if time.monotonic() > end or process.poll() is not None:
                    raise BenchmarkError(
                        f"The worker did not finish: {(self.folder / 'worker.log').read_text()[-500:]}"
                    )
                time.sleep(0.2)
        finally:
            process.terminate()
            process.wait()

    def measure(self, count: int, send: Send) -> dict[str, float]:
        """Sends the requests, and lets the worker work. Returns the bytes of a request, by table, and of
        the log. Raises BenchmarkError.
        """
        before = self.sizes()
        result: dict[str, float] = {}
        half = count // 2
        for name, numbers in (("first", range(half)), ("second", range(half, 2 * half))):
            if name == "first":
                self.sql("checkpoint")
            start = self.position()
            self.send(numbers, send)
            sent = self.position()
            self.work()
            result[f"log of the requests, {name} half"] = (sent - start) / half
            result[f"log of the worker, {name} half"] = (self.position() - sent) / half
        after = self.sizes()
        grown = {name: (size - before.get(name, 0)) / (2 * half) for name, size in after.items()}
        return {name: size for name, size in sorted(grown.items()) if size >= 1} | result


def create(data: Database) -> Send:
    """Creates leads as a usual client does."""

    def send(number: int) -> tuple[bytes, int]:
        body = {
            "name": f"Sarah Mitchell {number}",
            "email": f"sarah.mitchell.{number}@example.com",
            "phone": f"+1 555 {number:07}",
            "source": "google_ads",
            "industry": "residential",
            "pain_points": "Recurring basement moisture after spring rain",
            "timeline": "this_week",
            "budget_range": "5k_to_15k",
        }
        pair = data.pairs[number % len(data.pairs)]
        return request("POST /leads", pair.key, json.dumps(body).encode(), f"Idempotency-Key: sizing-{number}"), 201

    return send


def change(data: Database) -> Send:
    """Changes the stage and the score of the organizations' leads."""
    leads: dict[int, list[str]] = {}
    with psycopg.connect(data.superuser_url) as connection:
        for index, pair in enumerate(data.pairs):
            rows = connection.execute(
                "select id::text from app.lead where organization_id = %s order by id desc limit 400",
                [pair.organization],
            ).fetchall()
            leads[index] = [row[0] for row in rows]

    def send(number: int) -> tuple[bytes, int]:
        turn, index = divmod(number, len(data.pairs))
        lead = leads[index][turn % len(leads[index])]
        body = json.dumps({"pipeline_stage": "proposal" if turn % 2 else "qualified", "lead_score": 40 + turn % 50})
        return request(f"PATCH /leads/{lead}", data.pairs[index].key, body.encode()), 200

    return send


def table(results: dict[str, dict[str, float]]) -> Table:
    """A row for each table and log, a column for each kind of request."""
    shown = Table("bytes", *results, box=None, pad_edge=False)
    names = list(dict.fromkeys(name for result in results.values() for name in result))
    logs = [name for name in names if name.startswith("log ")]
    tables = [name for name in names if name not in logs]

    def row(title: str, values: list[float]) -> None:
        shown.add_row(title, *(f"{value:,.0f}" if value else "" for value in values))

    for name in tables:
        row(name, [result.get(name, 0) for result in results.values()])
    row("together", [sum(result.get(name, 0) for name in tables) for result in results.values()])
    for name in logs:
        row(name, [result.get(name, 0) for result in results.values()])
    return shown


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--requests", type=click.IntRange(200, 1_000_000), default=20_000, show_default=True, help="Of each kind."
)
@click.option("--leads", type=click.IntRange(100, 5_000_000), default=100_000, show_default=True, help="At the start.")
def sizing(requests: int, leads: int) -> None:
    """Measure the disk and the write-ahead log of a created lead and of a change."""
    with tempfile.TemporaryDirectory(prefix="leads-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            database.running(folder, leads) as data,
            server.running(folder / "log", DATABASE_URL=data.url) as served,
        ):
            site = Site(data, served.base, folder)
            results = {}
            for kind, make in (("POST /leads", create), ("PATCH /leads/{id}", change)):
                print(f"{kind} ...", file=sys.stderr)
                results[kind] = site.measure(requests, make(data))
    Console(width=100).print(table(results))


if __name__ == "__main__":
    sizing()
