"""``make pressure``: what a usual client notices while the clients of another organization put the
server under pressure, and whether an effect is lost or doubled.

``leads serve`` runs with two connections to PostgreSQL, fsync on, and at first 1,024 files, which is
the usual limit of a service. In each scenario abusive clients (bench/abuse.py) run for some seconds
beside the probe: a mixed load of another organization, whose four clients pause between requests
and repeat each write with the same Idempotency-Key until it succeeds.

Memory is RssAnon, which is what processes have for themselves, without files and shared buffers:
the sum over ``leads serve`` with its worker, and the sum over PostgreSQL's processes. Its growth is
from the last moment before the abuse to the highest value until the server is back to normal.
"Normal" means that /readyz is 200 and that a write has succeeded which was sent after the abuse.
"""

import multiprocessing
import resource
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
from rich.console import Console
from rich.table import Table

from bench import abuse, effects, machine
from bench.abuse import CLOSED, Abuse, Target
from bench.command import conclude, end_on_sigterm
from bench.effects import Effects
from bench.figures import BenchmarkError
from bench.mixed import Load
from bench.site import Site, running
from tests.support.database import Database, make_organization

POOL = "2"
"""The connections of ``leads serve`` to PostgreSQL (LEADS_CONNECTIONS)."""
FILES = 1024
"""The files that ``leads serve`` may open at first."""
LONGEST = 5.0
"""Seconds: no request of the probe may take longer."""
GROWTH = 64.0
"""MB by which the memory may grow, of the server and of PostgreSQL. The largest body alone has 52.
2,000 connections with a few KB each, or 258 requests with the largest allowed body, need less.
"""
RECOVERY = 5.0
"""Seconds after the abuse within which the server must be back to normal."""
_PATIENCE = 60.0
"""Seconds after which the command no longer waits for that."""
_CHANGES = (
    "select count(*) as n from audit.event where organization_id = %s and action in ('lead.created', 'lead.updated')"
)


@dataclass(frozen=True)
class Scenario:
    """clients: at once. statuses: those that the documentation gives for these requests. seconds:
    the least. refuses: whether the probe may get 503.
    """

    clients: int
    statuses: frozenset[int]
    seconds: float = 0.0
    refuses: bool = False


SCENARIOS = {
    # More clients than LEADS_QUEUE.
    "crowd": Scenario(400, frozenset({200, 201, 503})),
    "unknown key": Scenario(400, frozenset({401, 503})),
    "row lock": Scenario(50, frozenset({200, 503})),
    "table lock": Scenario(50, frozenset({200, 201, 503}), refuses=True),
    # A slow body may take 30 seconds.
    "slow requests": Scenario(600, frozenset({CLOSED}), seconds=45),
    "idle connections": Scenario(2000, frozenset({200, CLOSED}), seconds=20),
    "large bodies": Scenario(8, frozenset({413})),
    "pipelining": Scenario(60, frozenset({200, 201, 503})),
    "disconnects": Scenario(50, frozenset()),
}


@dataclass
class Memory:
    """MB: before the abuse, and the highest since."""

    before: tuple[float, float]
    highest: tuple[float, float]

    @property
    def growth(self) -> tuple[float, float]:
        """Of the server and of PostgreSQL."""
        return self.highest[0] - self.before[0], self.highest[1] - self.before[1]


@dataclass(frozen=True)
class Result:
    """What one scenario has shown. changes: the abusive organization's in the audit log. restarts: how
    often ``leads serve`` has ended.
    """

    name: str
    abuse: Abuse
    load: Load
    effects: Effects
    memory: Memory
    recovery: float
    changes: int
    restarts: int = 0

    def faults(self) -> list[str]:
        """Each check that fails, as a sentence."""
        scenario, load, abused = SCENARIOS[self.name], self.load, self.abuse
        found = effects.faults(self.effects, load)
        # An answer of 500 has a sentence already.
        allowed = {200, 201, 500} | ({503} if scenario.refuses else set())
        found += [
            f"The probe got {n} answers of {status}." for status, n in load.statuses.items() if status not in allowed
        ]
        if (longest := load.longest()) > LONGEST:
            found.append(f"A request of the probe took {longest:.1f} s.")
        for status, count in abused.statuses.items():
            if status not in scenario.statuses:
                found.append(f"{count} abusive requests got {status or 'no answer'}.")
        found += sorted(set(abused.faults))
        if not abused.acknowledged <= self.changes <= abused.sent:
            found.append(
                f"The abusive clients sent {abused.sent} writes, {abused.acknowledged} succeeded, and the audit log "
                f"has {self.changes}."
            )
        for name, growth in zip(("the server", "PostgreSQL"), self.memory.growth, strict=True):
            if growth > GROWTH:
                found.append(f"The memory of {name} grew by {growth:.0f} MB.")
        if self.recovery > RECOVERY:
            found.append(f"After the abuse, it took {self.recovery:.1f} s until a write succeeded.")
        if self.restarts:
            found.append(f"`leads serve` ended {self.restarts} times.")
        if not load.writes or not (abused.statuses or abused.unread):
            found.append("Nothing was tested.")
        return found


def run(
    site: Site,
    database: Database,
    name: str,
    executor: Executor,
    *,
    seconds: float,
    clients: int | None = None,
    warm_up: float = 1.0,
) -> Result:
    """Runs one scenario. executor: of a process for the abusive clients. warm_up: the seconds of the
    probe before the abuse. Raises BenchmarkError.
    """
    scenario = SCENARIOS[name]
    probe, other = make_organization(database, "Probe"), make_organization(database, "Abuse")
    headers = {"Authorization": f"Bearer {other.keys['write']}"}
    with httpx.Client(base_url=site.base, headers=headers, trust_env=False) as http:
        lead = http.post("/api/v1/leads", json={"email": "a@example.com"}).raise_for_status().json()["id"]
        target = Target(site.base, other.keys["write"], lead, database.url())
        load = Load(site.base, probe.keys["write"], clients=4, pause=0.05, has_pushes=False)
        restarts = len(site.downs)
        with load.running():
            _wait_for_write(http, load, time.monotonic() + warm_up)
            with _watched(site) as memory:
                done = executor.submit(abuse.run, name, target, clients or scenario.clients, seconds).result()
                ended = time.monotonic()
                _wait_for_write(http, load, ended)
                recovery = time.monotonic() - ended
    found = effects.read(database, probe.id, load, [])
    changes = database.sql(_CHANGES, other.id)[0]["n"] - 1
    return Result(name, done, load, found, memory, recovery, changes, len(site.downs) - restarts)


def _wait_for_write(http: httpx.Client, load: Load, moment: float) -> None:
    """Waits until the server is ready and a write that was sent after the moment has succeeded."""
    while True:
        with suppress(httpx.TransportError):
            if load.has_succeeded(moment) and http.get("/readyz").status_code == 200:
                return
        if time.monotonic() > moment + _PATIENCE:
            raise BenchmarkError(f"No write succeeded within {_PATIENCE:.0f} s after the abuse.")
        time.sleep(0.02)


@contextmanager
def _watched(site: Site) -> Iterator[Memory]:
    """Watches the memory of the site's processes during the block."""
    postmaster = site.postmaster()

    def read() -> tuple[float, float]:
        return resident(site.pid, without=postmaster), resident(postmaster)

    def watch() -> None:
        while not is_over.wait(0.2):
            now = read()
            memory.highest = max(memory.highest[0], now[0]), max(memory.highest[1], now[1])

    is_over = threading.Event()
    now = read()
    memory = Memory(now, now)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        is_over.set()
        thread.join()


def resident(pid: int, without: int = 0) -> float:
    """The RssAnon of a process and its descendants, in MB. without: a descendant that is left out,
    with its own descendants.
    """
    if pid == without:
        return 0.0
    folder, total = Path(f"/proc/{pid}"), 0.0
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = (folder / "status").read_text().splitlines()
        total = sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("RssAnon:"))
        for children in list(folder.glob("task/*/children")):
            with suppress(FileNotFoundError, ProcessLookupError):
                total += sum(resident(int(child), without) for child in children.read_text().split())
    return total


@contextmanager
def abusers() -> Iterator[Executor]:
    """A process for the abusive clients."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        yield executor


def table(results: list[Result]) -> Table:
    """A row for each scenario."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("scenario")
    shown.add_column("abusive clients:\nanswers")
    for name in (
        "probe:\nrequests",
        "\n2xx",
        "\n503",
        "\nother",
        "\np50 ms",
        "\nlongest s",
        "lost",
        "doubled",
        "server\n+MB",
        "PostgreSQL\n+MB",
        "back to\nnormal s",
        "audit rows\nof changes",
    ):
        shown.add_column(name, justify="right")
    for result in results:
        load, found = result.load, result.effects
        answers = [f"{status or 'closed'}: {count:,}" for status, count in sorted(result.abuse.statuses.items())]
        answers += [f"not awaited: {result.abuse.unread:,}"] if result.abuse.unread else []
        good = sum(count for status, count in load.statuses.items() if 200 <= status < 300)
        counts = (len(load.attempts), good, load.statuses[503], len(load.attempts) - good - load.statuses[503])
        shown.add_row(
            result.name,
            "\n".join(answers),
            *(f"{count:,}" for count in counts),
            f"{statistics.median(attempt.seconds for attempt in load.attempts) * 1000:.0f}",
            f"{load.longest():.1f}",
            *(str(count) for count in (len(found.lost), len(found.doubled))),
            *(f"{growth:.0f}" for growth in result.memory.growth),
            f"{result.recovery:.1f}",
            f"{found.rows:,} of {found.changes:,}",
        )
    return shown


@contextmanager
def limited_site() -> Iterator[tuple[Site, Database]]:
    """The site of the scenarios."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    try:
        with running(LEADS_CONNECTIONS=POOL) as started:
            yield started
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--seconds", type=click.IntRange(1, 3600), default=15, show_default=True, help="The least of each scenario."
)
@click.option(
    "--scenario", "names", type=click.Choice(list(SCENARIOS)), multiple=True, help="Only this. [default: all]"
)
def pressure(seconds: int, names: tuple[str, ...]) -> None:
    """Put the server under pressure; exit code 1 if another client's write is lost, or a check fails."""
    results = []
    with limited_site() as (site, database), abusers() as executor:
        for name in names or SCENARIOS:
            print(f"Scenario: {name} (load {machine.load()}) ...", file=sys.stderr)
            results.append(run(site, database, name, executor, seconds=max(seconds, SCENARIOS[name].seconds)))
    Console(width=180).print(table(results))
    conclude([f"{result.name}: {fault}" for result in results for fault in result.faults()])


if __name__ == "__main__":
    end_on_sigterm()
    pressure()
