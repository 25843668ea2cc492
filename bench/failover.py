"""``make failover``: what clients notice when the primary ends and its standby is promoted.

Two hosts on this machine, made with initdb and pg_basebackup (``bench.hosts``). ``leads serve`` and
``leads worker`` have the addresses of both, with ``target_session_attrs=read-write``. Under a mixed
load, whose clients repeat each write with the same Idempotency-Key, the primary is killed or stopped.
After two seconds, which stand for the operator or the cluster manager, the standby is promoted. Then
pg_rewind makes the old primary a standby, so that the next scenario begins with the roles exchanged.

The command ends with an error if an effect is doubled, if the audit log and the changes differ, if
the chain doesn't verify, if an answer is 500, if no write succeeds after the promotion, or if an
acknowledged write is lost although the standby was synchronous.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from app.cli import migrate
from app.settings import ROOT
from bench import effects, hosts, server
from bench.command import conclude, end_on_sigterm
from bench.effects import Effects
from bench.figures import BenchmarkError
from bench.hosts import Pair
from bench.mixed import Load
from bench.site import connected
from tests.support import pushing, simulator

PROMOTION = 2.0
"""Seconds from the end of the primary to the promotion."""
BEHIND = 1.0
"""Seconds for which the primary has sent nothing to a standby that is behind."""
_PATIENCE = 60.0
"""Seconds within which a write must succeed after the promotion."""


@dataclass(frozen=True)
class Scenario:
    """is_behind: the primary has sent nothing for a second. is_hanging: the primary isn't
    killed, but answers nothing, and keeps its connections.
    """

    is_synchronous: bool
    is_behind: bool = False
    is_hanging: bool = False


SCENARIOS = {
    "asynchronous": Scenario(is_synchronous=False),
    "asynchronous, behind": Scenario(is_synchronous=False, is_behind=True),
    "synchronous": Scenario(is_synchronous=True),
    "synchronous, behind": Scenario(is_synchronous=True, is_behind=True),
    "synchronous, hangs": Scenario(is_synchronous=True, is_hanging=True),
}


@dataclass(frozen=True)
class Result:
    """What a scenario has shown. ended, promoted: by time.monotonic(). workers: starts of the worker."""

    name: str
    ended: float
    promoted: float
    load: Load
    effects: Effects
    workers: int

    def first(self) -> float:
        """The seconds from the end of the primary until a write succeeded that was sent later."""
        sent = [a.began + a.seconds for a in self.load.attempts if a.began > self.ended and a.has_written]
        return min(sent, default=float("inf")) - self.ended

    def faults(self) -> list[str]:
        """Each check that fails, as a sentence."""
        is_lossy = not SCENARIOS[self.name].is_synchronous
        found, load = self.effects, self.load
        if is_lossy:  # a client that goes on with a lost lead is refused: 404
            found, load = replace(found, lost=[]), replace(load, refused=[])
        return effects.faults(found, load) + ([] if load.writes else ["Nothing was tested."])


class Worker:
    """``leads worker``, which is started again when it ends."""

    def __init__(self, url: str, log: Path) -> None:
        self.starts = 0
        self._environ = {**os.environ, "LEADS_WORKER_URL": url, **pushing.ENVIRON}
        self._log = log
        self._is_over = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "app", "worker"], cwd=ROOT, env=self._environ, stdout=output, stderr=output
            )

    def _keep(self) -> None:
        while not self._is_over.wait(0.5):
            if self._process.poll() is not None:
                self._process = self._start()

    def stop(self) -> None:
        """Stops it."""
        self._is_over.set()
        self._thread.join()
        self._process.terminate()
        self._process.wait(60)


@contextmanager
def _working(url: str, log: Path) -> Iterator[Worker]:
    worker = Worker(url, log)
    try:
        yield worker
    finally:
        worker.stop()


def run(
    pair: Pair, base: str, worker: Worker, vendor: simulator.Simulator, name: str, *, seconds: float, clients: int
) -> Result:
    """Runs a scenario: some seconds of load, the end of the primary, the promotion, and some more.
    Raises BenchmarkError.
    """
    scenario = SCENARIOS[name]
    pair.set_synchronous("*" if scenario.is_synchronous else "")
    organization = connected(pair.primary.database, vendor, name)
    load = Load(base, organization.keys["write"], clients)
    starts = worker.starts
    with load.running():
        time.sleep(seconds)
        if scenario.is_behind:
            pair.primary.stop_sending()
            time.sleep(BEHIND)
        if scenario.is_hanging:
            pair.primary.hang()
        else:
            pair.primary.end(signal.SIGKILL)
        ended = time.monotonic()
        time.sleep(PROMOTION)
        pair.promote()
        promoted = time.monotonic()
        while not load.has_succeeded(promoted):
            if time.monotonic() > promoted + _PATIENCE:
                raise BenchmarkError(f"No write succeeded within {_PATIENCE:.0f} s after the promotion.")
            time.sleep(0.1)
        time.sleep(seconds)
    if scenario.is_hanging:
        pair.standby.end(signal.SIGKILL)
    effects.wait_for_pushes(pair.primary.database, organization.id)
    found = effects.read(pair.primary.database, organization.id, load, vendor.contacts)
    return Result(name, ended, promoted, load, found, worker.starts - starts)


def table(results: list[Result]) -> Table:
    """A row for each scenario."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("standby")
    for name in (
        "promoted\nafter s",
        "first write\nafter s",
        "acknowledged\nwrites",
        "lost",
        "doubled",
        "503",
        "unknown\noutcome",
        "con. lost\nor refused",
        "500",
        "longest\nrequest s",
        "longest\npush s",
        "audit rows\nof changes",
        "chain",
        "restarts of\nthe worker",
    ):
        shown.add_column(name, justify="right")
    for result in results:
        load, found = result.load, result.effects
        unknown = sum(attempt.code == "outcome_unknown" for attempt in load.attempts)
        shown.add_row(
            result.name,
            *(f"{figure:.1f}" for figure in (result.promoted - result.ended, result.first())),
            *(f"{count:,}" for count in (len(load.writes), len(found.lost), len(found.doubled))),
            *(f"{count:,}" for count in (load.statuses[503], unknown, load.statuses[0], load.statuses[500])),
            *(f"{figure:.1f}" for figure in (load.longest(), load.longest(push=True))),
            f"{found.rows:,} of {found.changes:,}",
            "broken" if found.chain else "holds",
            str(result.workers),
        )
    return shown


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--seconds", type=click.FloatRange(0.5, 600), default=5, show_default=True, help="Of load, before and after."
)
@click.option("--clients", type=click.IntRange(1, 200), default=12, show_default=True, help="Clients at once.")
@click.option(
    "--scenario", "names", type=click.Choice(list(SCENARIOS)), multiple=True, help="Only this. [default: all]"
)
def failover(seconds: float, clients: int, names: tuple[str, ...]) -> None:
    """End the primary under load and promote its standby; exit code 1 if a check fails."""
    results = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leads-hosts-")))
        folder.chmod(0o755)
        print("Making a primary and its standby ...", file=sys.stderr)
        pair = stack.enter_context(hosts.running(folder, migrate.apply))
        vendor = stack.enter_context(simulator.running())
        vendor.latency = 0.02
        served = stack.enter_context(server.running(folder / "serve.log", DATABASE_URL=pair.url("leads_api")))
        worker = stack.enter_context(_working(pair.url("leads_worker"), folder / "worker.log"))
        for name in names or SCENARIOS:
            print(f"Failover: {name} ...", file=sys.stderr)
            results.append(run(pair, served.base, worker, vendor, name, seconds=seconds, clients=clients))
            pair.rejoin()
        for line in (folder / "serve.log").read_text().splitlines():
            if '"level":"warning"' in line or '"level":"error"' in line:
                print(line, file=sys.stderr)
    Console(width=180).print(table(results))
    conclude([f"{result.name}: {fault}" for result in results for fault in result.faults()])


if __name__ == "__main__":
    end_on_sigterm()
    failover()
