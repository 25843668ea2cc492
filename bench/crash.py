"""``make crash``: what clients notice when processes are killed, and whether an effect is lost or
doubled.

Under a mixed load, SIGKILL ends PostgreSQL's backends, its postmaster, ``leads serve``, or the
postmaster and ``leads serve`` at once, again and again. fsync is on. ``leads serve`` supervises
PostgreSQL; this program starts ``leads serve`` again, as systemd does. A client repeats each write
with the same Idempotency-Key until it succeeds.

The time of a request is from its sending to its answer, or to the loss of its connection. Each
request counts, but not the seconds in which ``leads serve`` is down: from the end of its process
until the next one gives its first answer, whatever that is. In this time connections are refused,
and then wait until the started process accepts them. The pause of a client before it repeats a
request doesn't count as the time of a request, nor do the seconds in which this program itself got
no processor. "longest pause" is what remains visible of all this: the longest time in which no
write of any client succeeded.
"""

import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import click
import psycopg
from rich.console import Console
from rich.table import Table

from bench import effects
from bench.command import conclude, end_on_sigterm
from bench.effects import Effects
from bench.figures import BenchmarkError
from bench.mixed import Load
from bench.site import Site, connected, running
from tests.support import simulator
from tests.support.database import Database, Organization

LONGEST = 5.0
"""Seconds: no request may take longer."""
LONGEST_PUSH = 10.0 + LONGEST
"""Seconds for POST /leads/{id}/push-to-crm, which waits up to 10 seconds for the CRM."""
SETTLE = 0.5
"""Seconds after a kill in which requests may still succeed before its effect begins."""
_PATIENCE = 90.0
"""Seconds that the first success after a kill may take."""


KINDS: dict[str, Callable[[Site], None]] = {
    "backends": Site.kill_backend,
    "postmaster": Site.kill_postmaster,
    "serve": Site.kill_serve,
    "postmaster and serve": Site.kill_both,
}


@dataclass(frozen=True)
class Result:
    """What one kind of kill has shown. downs: the times without ``leads serve``."""

    kind: str
    kills: int
    downs: list[tuple[float, float]]
    load: Load
    effects: Effects

    def longest(self, *, push: bool = False) -> float:
        """The seconds of the longest request."""
        return self.load.longest(push=push, downs=self.downs)

    def faults(self) -> list[str]:
        """Each check that fails, as a sentence."""
        found = effects.faults(self.effects, self.load)
        if (longest := self.longest()) > LONGEST:
            found.append(f"A request took {longest:.1f} s.")
        if (longest := self.longest(push=True)) > LONGEST_PUSH:
            found.append(f"A push took {longest:.1f} s.")
        if not self.load.writes or not self.kills:
            found.append("Nothing was tested.")
        return found


def run(
    site: Site,
    database: Database,
    organization: Organization,
    vendor: simulator.Simulator,
    kind: str,
    *,
    seconds: float,
    clients: int,
    pause: float = 0.0,
    rest: tuple[float, float] = (1.0, 3.0),
) -> Result:
    """Kills one kind of processes for some seconds under load, and compares the effects.

    rest: the least and the most seconds between a recovery and the next kill. organization: a new
    one, connected to the vendor. Raises BenchmarkError.
    """
    load = Load(site.base, organization.keys["write"], clients, pause)
    kills = 0
    with load.running():
        end = time.monotonic() + seconds
        while not kills or time.monotonic() < end:
            time.sleep(random.uniform(*rest))
            with suppress(psycopg.OperationalError, IndexError, ProcessLookupError, FileNotFoundError):
                KINDS[kind](site)
                kills += 1
            _wait_for_success(load, time.monotonic() + SETTLE)
    site.wait()
    effects.wait_for_pushes(database, organization.id)
    return Result(kind, kills, site.downs, load, effects.read(database, organization.id, load, vendor.contacts))


def _wait_for_success(load: Load, moment: float) -> None:
    """Waits until a write that was sent after the moment succeeds. Raises BenchmarkError."""
    while not load.has_succeeded(moment):
        if time.monotonic() > moment + _PATIENCE:
            raise BenchmarkError(f"No write succeeded within {_PATIENCE:.0f} s after a kill.")
        time.sleep(0.1)


def table(results: list[Result]) -> Table:
    """A row for each kind of kill."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("killed")
    for name in (
        "kills",
        "requests",
        "writes",
        "con. lost\nor refused",
        "503",
        "unknown\noutcome",
        "500",
        "lost",
        "doubled",
        "longest s:\nrequest",
        "\npush",
        "longest\npause s",
        "audit rows\nof changes",
        "chain",
    ):
        shown.add_column(name, justify="right")
    for result in results:
        load, found = result.load, result.effects
        unknown = sum(attempt.code == "outcome_unknown" for attempt in load.attempts)
        counts = (result.kills, len(load.attempts), len(load.writes), load.statuses[0], load.statuses[503], unknown)
        shown.add_row(
            result.kind,
            *(f"{count:,}" for count in counts),
            *(str(count) for count in (load.statuses[500], len(found.lost), len(found.doubled))),
            *(f"{figure:.1f}" for figure in (result.longest(), result.longest(push=True), load.longest_pause())),
            f"{found.rows:,} of {found.changes:,}",
            "broken" if found.chain else "holds",
        )
    return shown


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", type=click.IntRange(1, 3600), default=60, show_default=True, help="Seconds of each kind.")
@click.option("--clients", type=click.IntRange(1, 200), default=12, show_default=True, help="Clients at once.")
@click.option("--kind", "kinds", type=click.Choice(list(KINDS)), multiple=True, help="Only this kind. [default: all]")
@click.option("--seed", type=int, help="For the times of the kills. [default: a random one]")
def crash(seconds: int, clients: int, kinds: tuple[str, ...], seed: int | None) -> None:
    """Kill processes under load; exit code 1 if a write is lost or doubled, or a check fails."""
    seed = random.randrange(1 << 32) if seed is None else seed
    random.seed(seed)
    print(f"Seed {seed}; {clients} clients, {seconds} s of each kind.", file=sys.stderr)
    results = []
    with running() as (site, database), simulator.running() as vendor:
        vendor.latency = 0.02
        for kind in kinds or KINDS:
            print(f"Killing: {kind} ...", file=sys.stderr)
            organization = connected(database, vendor, kind)
            results.append(run(site, database, organization, vendor, kind, seconds=seconds, clients=clients))
    Console(width=160).print(table(results))
    conclude([f"{result.kind}: {fault}" for result in results for fault in result.faults()])


if __name__ == "__main__":
    end_on_sigterm()
    crash()
