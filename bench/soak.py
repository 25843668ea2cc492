"""``make soak``: whether memory, connections, open files, dead rows or logs grow while requests go
on.

``leads serve`` with its embedded PostgreSQL (fsync on) and a worker in a process of its own get a
mixed load for ten minutes. Every few seconds this program reads /proc, the sizes of the logs and
the statistics of PostgreSQL. It also takes a sample before the load begins, and one when the load
has ended and no push is open.

Memory is RssAnon: what a process has for itself, without files and without shared buffers. It grows
at first: a backend of PostgreSQL reads the catalogs and plans each statement once. What still grows
from the second third of the time to the last one is a leak. A run of less than SHORTEST seconds is
not judged by that. Autovacuum removes dead rows about once a minute, so that as many may exist as
NAPS minutes of changes have made.
"""

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import leather
import psycopg
from rich.console import Console
from rich.table import Table

from bench import effects, machine
from bench.command import conclude, end_on_sigterm
from bench.effects import Effects
from bench.mixed import Load
from bench.site import Site, connected, running
from tests.support import pushing, simulator
from tests.support.database import Database, Organization

SHORTEST = 300.0
"""Seconds of load that show whether something grows."""
SETTLE = 10.0
"""Seconds before and after the load in which sessions and files must be closed."""
SERVER_SESSIONS = 10
"""Connections of the server: LEADS_CONNECTIONS is 8, one listens, and every five minutes one more
reads the routes.
"""
WORKER_SESSIONS = 4
"""Connections of the worker: one for pushes, one for deliveries, one for seals, and one that listens."""
OLDEST = 10.0
"""Seconds that a transaction may last. It is the statement_timeout of our sessions, and their
idle_in_transaction_session_timeout.
"""
REQUEST_LINE = 450
"""Bytes of the server's log for a request. It is one line of less than 340 bytes on average. If every
second one caused another line, the mean would be greater.
"""
LINE = 250
"""Bytes of the worker's log for an attempt of a push. It is one line, too."""
POSTGRESQL_LINE = 5
"""Bytes of PostgreSQL's log for a request. PostgreSQL logs checkpoints, but no request."""
NAPS = 3
"""Times autovacuum_naptime for which dead rows may remain: the pause before the next round, the
round itself, and one more for a busy machine.
"""
QUEUES = ("audit.unsealed", "crm.sync", "app.idempotency_key")
"""Tables whose rows soon change or are deleted."""


@dataclass(frozen=True)
class Rows:
    """A table's rows. ended: those that updates and deletions have made dead since its creation."""

    live: int
    dead: int
    ended: int


@dataclass(frozen=True)
class Sample:
    """What was read at once. at: the seconds since the sample before the load."""

    at: float
    figures: dict[str, float]
    tables: dict[str, Rows]


@dataclass(frozen=True)
class Vacuum:
    """The settings of autovacuum."""

    naptime: float
    threshold: int
    factor: float

    def allowed(self, samples: Sequence[Sample], table: str) -> float:
        """The dead rows that the table may have in the last sample: up to the threshold, and those
        that are younger than NAPS rounds.
        """
        rows = samples[-1].tables[table]
        older = [sample for sample in samples if sample.at <= samples[-1].at - NAPS * self.naptime]
        before = older[-1].tables.get(table) if older else None
        return self.threshold + self.factor * rows.live + rows.ended - (before.ended if before else 0)

    def faults(self, samples: Sequence[Sample]) -> list[str]:
        """Each table that once had more dead rows, as a sentence."""
        found = {}
        for number, sample in enumerate(samples, 1):
            for table, rows in sample.tables.items():
                if rows.dead > (allowed := self.allowed(samples[:number], table)):
                    found[table] = (
                        f"{table} had {rows.dead:,} dead rows after {sample.at:.0f} s, "
                        f"and autovacuum allows {allowed:,.0f}."
                    )
        return list(found.values())


@dataclass(frozen=True)
class Rule:
    """A bound for a figure. breach: how the values break it, or an empty text. The first value is
    from before the load, and the last one from after it.
    """

    bound: str
    breach: Callable[[Sequence[float]], str]
    is_slow: bool = False
    """Whether only a run of SHORTEST seconds can show it."""


def at_most(bound: float) -> Rule:
    """No value is greater."""
    return Rule(f"≤ {bound:g}", lambda values: f"was {max(values):,.1f}" if max(values) > bound else "")


def in_all(bound: float) -> Rule:
    """The last value, which is about the whole run, is not greater."""
    return Rule(f"≤ {bound:g}", lambda values: f"was {values[-1]:,.1f}" if values[-1] > bound else "")


def returns(more: float) -> Rule:
    """After the load, the value is that from before it, or greater by no more than this."""

    def breach(values: Sequence[float]) -> str:
        is_more = values[-1] > values[0] + more
        return f"was {values[0]:,.0f} before the load and {values[-1]:,.0f} after it" if is_more else ""

    return Rule(f"after ≤ before + {more:g}", breach)


def steady(percent: float, more: float) -> Rule:
    """From the second third to the last one, the median grows by no more than this."""

    def breach(values: Sequence[float]) -> str:
        third = len(values) // 3
        middle, end = statistics.median(values[third:-third]), statistics.median(values[-third:])
        return f"grew from {middle:,.1f} to {end:,.1f}" if end > middle * (1 + percent / 100) + more else ""

    return Rule(f"+ {percent:g} % + {more:g}", breach, is_slow=True)


RULES: dict[str, tuple[Rule, ...]] = {
    "server: memory, MB": (steady(1, 0.5),),
    "server: open files": (returns(2), steady(0, 2)),
    "server: threads": (returns(2), steady(0, 2)),
    "worker: memory, MB": (steady(1, 0.5),),
    "worker: open files": (returns(2), steady(0, 2)),
    "worker: threads": (returns(2), steady(0, 2)),
    "PostgreSQL: memory, MB": (steady(2, 1),),
    "PostgreSQL: largest process, MB": (steady(2, 1),),
    "server: connections": (at_most(SERVER_SESSIONS), returns(0)),
    "worker: connections": (at_most(WORKER_SESSIONS),),
    "other connections": (at_most(0),),
    "idle transactions": (at_most(0),),
    "oldest transaction, s": (at_most(OLDEST),),
    "advisory locks": (at_most(0),),
    "queue of notifications, %": (at_most(1),),
    "temporary files": (at_most(0),),
    "server: log, bytes per request": (in_all(REQUEST_LINE),),
    "worker: log, bytes per attempt": (in_all(LINE),),
    "PostgreSQL: log, bytes per request": (in_all(POSTGRESQL_LINE),),
    "WAL, KB per write": (),
    "database, MB": (),
    **{f"{table}, MB": () for table in QUEUES},
}
"""What is sampled, and its bounds."""

_FIGURES = """
with session as (
  select usename as login, state, extract(epoch from clock_timestamp() - xact_start) as age
  from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
)
select
  (select count(*) from session where login = 'leads_api') as "server: connections",
  (select count(*) from session where login = 'leads_worker') as "worker: connections",
  (select count(*) from session where login not in ('leads_api', 'leads_worker')) as "other connections",
  (select count(*) from session where state like 'idle in transaction%') as "idle transactions",
  (select coalesce(max(age), 0) from session) as "oldest transaction, s",
  (select count(*) from pg_locks where locktype = 'advisory') as "advisory locks",
  pg_notification_queue_usage() * 100 as "queue of notifications, %",
  (select temp_files from pg_stat_database where datname = current_database()) as "temporary files",
  pg_database_size(current_database()) / 1e6 as "database, MB",
  (pg_current_wal_lsn() - '0/0') / 1e3 as wal,
  (select count(*) from crm.attempt) as attempts
"""
_SIZES = "select t || ', MB' as name, pg_total_relation_size(t::regclass) / 1e6 as size from unnest(%s::text[]) as t"
_TABLES = """
select schemaname || '.' || relname as name, n_live_tup as live, n_dead_tup as dead, n_tup_upd + n_tup_del as ended
from pg_stat_all_tables
"""
_VACUUM = """
select
  extract(epoch from current_setting('autovacuum_naptime')::interval)::float as naptime,
  current_setting('autovacuum_vacuum_threshold')::integer as threshold,
  current_setting('autovacuum_vacuum_scale_factor')::float as factor
"""


class Sampler:
    """Reads the figures of a site, its worker and its load. connection: a superuser's."""

    def __init__(
        self, site: Site, worker: pushing.Worker, load: Load, connection: psycopg.Connection[dict[str, Any]]
    ) -> None:
        self._site, self._worker, self._load, self._connection = site, worker, load, connection
        self._began = time.monotonic()
        self._first = self._totals()

    def sample(self) -> Sample:
        """Takes a sample."""
        figures: dict[str, float] = {}
        for name, pid in (("server", self._site.pid), ("worker", self._worker.process.pid)):
            figures[f"{name}: memory, MB"], figures[f"{name}: threads"] = memory_and_threads(pid)
            figures[f"{name}: open files"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        memory = list(self._memory_of_postgresql())
        figures |= {"PostgreSQL: memory, MB": sum(memory), "PostgreSQL: largest process, MB": max(memory)}
        (row,) = self._connection.execute(_FIGURES)
        figures |= {name: float(figure) for name, figure in row.items() if name in RULES}
        figures |= {row["name"]: float(row["size"]) for row in self._connection.execute(_SIZES, [list(QUEUES)])}
        totals = self._totals()
        for name, part, whole in (
            ("server: log, bytes per request", "server", "requests"),
            ("worker: log, bytes per attempt", "worker", "attempts"),
            ("PostgreSQL: log, bytes per request", "PostgreSQL", "requests"),
            ("WAL, KB per write", "wal", "writes"),
        ):
            count = totals[whole] - self._first[whole]
            figures[name] = (totals[part] - self._first[part]) / count if count else 0.0
        tables = {row.pop("name"): Rows(**row) for row in self._connection.execute(_TABLES)}
        return Sample(time.monotonic() - self._began, figures, tables)

    def vacuum(self) -> Vacuum:
        """Reads the settings of autovacuum."""
        (row,) = self._connection.execute(_VACUUM)
        return Vacuum(**row)

    def _totals(self) -> dict[str, float]:
        (row,) = self._connection.execute(_FIGURES)
        return {
            "requests": len(self._load.attempts),
            "writes": len(self._load.writes),
            "attempts": row["attempts"],
            "wal": float(row["wal"]),
            "server": self._site.log.stat().st_size,
            "worker": self._worker.log.stat().st_size,
            "PostgreSQL": sum(file.stat().st_size for file in self._site.data.glob("postgresql.log*")),
        }

    def _memory_of_postgresql(self) -> Iterator[float]:
        """The memory of each process, in MB, without the one that serves this program."""
        postmaster = self._site.postmaster()
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in {postmaster, *map(int, children)} - {self._connection.info.backend_pid}:
            # A process may end meanwhile, and an ended one has no memory.
            with suppress(FileNotFoundError, ProcessLookupError, KeyError):
                yield memory_and_threads(pid)[0]


def memory_and_threads(pid: int) -> tuple[float, int]:
    """The process's own memory (RssAnon) in MB, and the number of its threads."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines)
    return int(fields["RssAnon"].split()[0]) * 1024 / 1e6, int(fields["Threads"])


@dataclass(frozen=True)
class Result:
    """The samples: the first one from before the load, the last one from after it."""

    samples: list[Sample]
    vacuum: Vacuum
    seconds: float
    downs: list[tuple[float, float]]
    load: Load
    effects: Effects

    def values(self, name: str) -> list[float]:
        """The values of a figure."""
        return [sample.figures[name] for sample in self.samples]

    def faults(self) -> list[str]:
        """Each check that fails, as a sentence."""
        found = [
            f"{name[0].upper()}{name[1:]}: {breach}, and the bound is {rule.bound}."
            for name, rules in RULES.items()
            for rule in rules
            if (self.seconds >= SHORTEST or not rule.is_slow) and (breach := rule.breach(self.values(name)))
        ]
        found += self.vacuum.faults(self.samples)
        found += effects.faults(self.effects, self.load)
        if self.downs:
            found.append(f"leads serve has ended {len(self.downs)} times.")
        if not self.load.writes:
            found.append("Nothing was tested.")
        return found


def run(
    site: Site,
    database: Database,
    organization: Organization,
    vendor: simulator.Simulator,
    worker: pushing.Worker,
    *,
    seconds: float,
    clients: int,
    every: float,
) -> Result:
    """Takes samples under load, and compares the effects.

    organization: a new one, connected to the vendor. Raises BenchmarkError.
    """
    load = Load(site.base, organization.keys["write"], clients)
    with database.connect() as connection:
        sampler = Sampler(site, worker, load, connection)
        samples = [_at_rest(sampler)]
        with load.running():
            began = time.monotonic()
            while (now := time.monotonic()) < began + seconds:
                time.sleep(min(every, began + seconds - now))
                samples.append(sampler.sample())
        effects.wait_for_pushes(database, organization.id)
        samples.append(_at_rest(sampler, samples[0]))
        vacuum = sampler.vacuum()
    found = effects.read(database, organization.id, load, vendor.contacts)
    return Result(samples, vacuum, seconds, site.downs, load, found)


def _at_rest(sampler: Sampler, before: Sample | None = None) -> Sample:
    """Waits up to SETTLE seconds until other sessions have ended, and the server has no more
    sessions and open files than before.
    """
    end = time.monotonic() + SETTLE
    while True:
        time.sleep(0.5)
        sample = sampler.sample()
        compared = (before or sample).figures
        is_at_rest = not sample.figures["other connections"] and all(
            sample.figures[name] <= compared[name] for name in ("server: connections", "server: open files")
        )
        if is_at_rest or time.monotonic() > end:
            return sample


def table(result: Result) -> Table:
    """A row for each figure."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("")
    for name in ("before", "after\n1/3", "median", "last", "after the\nload", "growth\nper hour", "bound"):
        shown.add_column(name, justify="right")
    for name, rules in RULES.items():
        shown.add_row(name, *_row(result, result.values(name)), "; ".join(rule.bound for rule in rules))
    for name in (*QUEUES, _dead_most(result)):
        rows = [sample.tables.get(name, Rows(0, 0, 0)) for sample in result.samples]
        allowed = result.vacuum.allowed(result.samples, name)
        shown.add_row(f"{name}: dead rows", *_row(result, [each.dead for each in rows]), f"≤ {allowed:,.0f}")
        shown.add_row(f"{name}: live rows", *_row(result, [each.live for each in rows]), "")
    return shown


def _dead_most(result: Result) -> str:
    """The table that had the most dead rows after the first third, apart from QUEUES."""
    samples = result.samples[len(result.samples) // 3 :]
    dead = {(rows.dead, name) for sample in samples for name, rows in sample.tables.items() if name not in QUEUES}
    return max(dead)[1]


def _row(result: Result, values: Sequence[float]) -> list[str]:
    """The value before the load, after a third of its time, the median of the other two thirds, the
    last one, that after the load, and the growth in an hour as those two thirds predict it.
    """
    third = len(values) // 3
    later = values[third:-1]
    growth = ""
    if result.seconds >= SHORTEST:
        times = [sample.at / 3600 for sample in result.samples[third:-1]]
        growth = _number(statistics.linear_regression(times, later).slope)
    shown = (values[0], later[0], statistics.median(later), later[-1], values[-1])
    return [*map(_number, shown), growth]


def _number(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:,.1f}"
    return "0" if text in ("-0", "0.0", "-0.0") else text


def picture(result: Result) -> str:
    """The memory and the dead rows over the time, as an SVG without external resources."""
    minutes = [min(sample.at, result.seconds) / 60 for sample in result.samples]
    grid = leather.Grid()
    for title, lines in (
        (
            "Memory of the processes (RssAnon), MB",
            {name: result.values(f"{name}: memory, MB") for name in ("PostgreSQL", "server", "worker")},
        ),
        (
            "Dead rows, thousands",
            {name: [sample.tables[name].dead / 1000 for sample in result.samples] for name in QUEUES},
        ),
    ):
        chart = leather.Chart(title)
        chart.add_x_scale(0, result.seconds / 60)
        chart.add_x_axis(name="Minutes")
        chart.add_y_scale(0, max(map(max, lines.values())))
        for name, values in lines.items():
            chart.add_line(list(zip(minutes, values, strict=True))[:-1], name=name)
        grid.add_one(chart)
    # The curves have coordinates of 28 digits.
    return re.sub(r"(\d\.\d)\d+", r"\1", grid.to_svg(width=1100, height=440))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", type=click.IntRange(10, 86400), default=600, show_default=True, help="Seconds of load.")
@click.option("--clients", type=click.IntRange(1, 200), default=12, show_default=True, help="Clients at once.")
@click.option("--every", type=click.IntRange(1, 60), default=5, show_default=True, help="Seconds between two samples.")
@click.option("--picture", "path", type=click.Path(dir_okay=False, path_type=Path), help="An SVG file for the curves.")
def soak(seconds: int, clients: int, every: int, path: Path | None) -> None:
    """Look for what grows under load; exit code 1 if something does, or if a check fails."""
    print(f"{clients} clients, {seconds} s, a sample every {every} s; load {machine.load()}.", file=sys.stderr)
    with (
        running(LEADS_WORKER="off") as (site, database),
        simulator.running() as vendor,
        tempfile.TemporaryDirectory(prefix="leads-soak-") as folder,
        pushing.working(database, Path(folder)) as worker,
    ):
        vendor.latency = 0.02
        organization = connected(database, vendor, "Soak")
        result = run(site, database, organization, vendor, worker, seconds=seconds, clients=clients, every=every)
    Console(width=160).print(table(result))
    load = result.load
    print(
        f"{len(load.attempts):,} requests, {len(load.writes):,} writes; {load.statuses[500]} answers of 500, "
        f"{load.statuses[503]} of 503; {len(result.effects.lost)} lost, {len(result.effects.doubled)} doubled; "
        f"{result.effects.rows:,} audit rows of {result.effects.changes:,} changes; load {machine.load()}."
    )
    if path:
        path.write_text(picture(result), encoding="utf-8")
    conclude(result.faults())


if __name__ == "__main__":
    end_on_sigterm()
    soak()
