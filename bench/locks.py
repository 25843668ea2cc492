"""``python -m bench.locks``: what clients that wait for one locked lead cost other requests.

The other requests run for some seconds without these clients, and then with them. It prints both,
and ends with an error if the others lose more than a quarter of their throughput, or if their p99
is 100 ms or more.
"""

import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import psycopg
from rich.console import Console
from rich.table import Table

from bench import database, server
from bench.connection import Connection, request
from bench.operations import Pair

SHARE = 0.75
"""The throughput that is left to the others at least."""
P99 = 0.1
"""Seconds."""


@dataclass
class Times:
    """The seconds of requests, and the statuses of those that failed."""

    seconds: list[float] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)

    def percentile(self, share: int) -> float:
        """The time within which this share of the requests was answered, in percent."""
        return statistics.quantiles(self.seconds, n=100)[share - 1]


async def _send(connection: Connection, pair: Pair, stage: str | None) -> int:
    """Reads the pair's lead, or sets its stage. Returns the status."""
    line = f"{'PATCH' if stage else 'GET'} /leads/{pair.lead}"
    body = json.dumps({"pipeline_stage": stage}).encode() if stage else None
    return (await connection.exchange(request(line, pair.key, body))).status


READS_AND_CHANGES = (None, "contacted", None, "qualified")
CHANGES = ("contacted", "qualified")


async def _use(base: str, pairs: tuple[Pair, ...], stages: tuple[str | None, ...], end: float, times: Times) -> None:
    async with Connection(base) as connection:
        for number in itertools.count():
            pair = pairs[number % len(pairs)]
            stage = stages[number // len(pairs) % len(stages)]
            began = time.perf_counter()
            if began > end:
                return
            status = await _send(connection, pair, stage)
            times.seconds.append(time.perf_counter() - began)
            if status != 200:
                times.failures.append(status)


@asynccontextmanager
async def _waiting(base: str, pair: Pair, clients: int) -> AsyncIterator[Times]:
    """While another transaction has locked the pair's lead, and clients wait for it."""
    times = Times()
    tasks = [asyncio.create_task(_use(base, (pair,), CHANGES, float("inf"), times)) for _ in range(clients)]
    await asyncio.sleep(0.2)
    try:
        yield times
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _measure(base: str, pairs: tuple[Pair, ...], connections: int, seconds: float) -> Times:
    times = Times()
    end = time.perf_counter() + seconds
    share = len(pairs) // connections
    parts = [pairs[n * share : (n + 1) * share] for n in range(connections)]
    await asyncio.gather(*(_use(base, part, READS_AND_CHANGES, end, times) for part in parts))
    return times


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", type=click.IntRange(1, 60), default=10, show_default=True, help="Seconds of a measurement.")
@click.option("--connections", type=click.IntRange(1, 90), default=8, show_default=True, help="The others' clients.")
@click.option("--clients", type=click.IntRange(1, 500), default=12, show_default=True, help="Clients of the lead.")
def locks(seconds: int, connections: int, clients: int) -> None:
    """Measure what clients that wait for one locked lead cost the requests of others."""
    table = Table("phase", "requests/s", "p50 ms", "p99 ms", "longest ms", "failed")

    async def measure(base: str, locked: Pair, pairs: tuple[Pair, ...], superuser_url: str) -> list[Times]:
        await _measure(base, pairs, connections, 2)  # warms up
        quiet = await _measure(base, pairs, connections, seconds)
        async with await psycopg.AsyncConnection.connect(superuser_url) as connection:
            await connection.execute("select from app.lead where id = %s for update", [locked.lead])
            async with _waiting(base, locked, clients):
                return [quiet, await _measure(base, pairs, connections, seconds)]

    with tempfile.TemporaryDirectory(prefix="leads-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            database.running(folder) as data,
            server.running(folder / "log", DATABASE_URL=data.url) as served,
        ):
            results = asyncio.run(measure(served.base, data.pairs[0], data.pairs[1:], data.superuser_url))
    for phase, times in zip(("alone", f"beside {clients} clients on a locked lead"), results, strict=True):
        figures = (times.percentile(50), times.percentile(99), max(times.seconds))
        table.add_row(
            phase,
            f"{len(times.seconds) / seconds:.0f}",
            *(f"{figure * 1000:.1f}" for figure in figures),
            str(len(times.failures)),
        )
    Console().print(table)
    quiet, beside = results
    if len(beside.seconds) < SHARE * len(quiet.seconds) or beside.percentile(99) >= P99 or beside.failures:
        sys.exit("The clients that wait cost the others too much.")


if __name__ == "__main__":
    locks()
