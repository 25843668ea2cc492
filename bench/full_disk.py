"""``make full-disk``: what clients notice when the disk is full, and whether an effect is lost or
doubled.

PostgreSQL's data (tables, indexes, its log and that of ``leads serve``) is on one small filesystem,
and its write-ahead log (WAL) on another. Under a mixed load, one of them is filled, then both. They
stay full for some seconds: whatever becomes free is filled again. Then the space is given back.
fsync is on. ``leads serve`` supervises PostgreSQL, which ends when it can't write its WAL; this
program starts ``leads serve`` again if it ends, as systemd does. A client repeats each write with
the same Idempotency-Key until it succeeds. Two further clients only list leads.

The filesystems are of the kind tmpfs. To mount them needs root.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import psycopg
from rich.console import Console
from rich.table import Table

from bench import effects
from bench.command import conclude, end_on_sigterm
from bench.crash import LONGEST, LONGEST_PUSH
from bench.effects import Effects
from bench.figures import BenchmarkError
from bench.mixed import Attempt, Load
from bench.site import Site, connected, running
from tests.support import simulator
from tests.support.database import Database, Organization

CASES = {"tables": ("data",), "WAL": ("wal",), "both": ("data", "wal")}
"""The filesystems that are full, by case."""
RECOVERY = 30.0
"""Seconds within which a write must succeed after the space has been given back."""
NO_ROOT = "make full-disk mounts small filesystems, which needs root. Run it as root."
_LEFT = 256 * 1024
"""Bytes that stay free at first. The load uses them up."""
_PATIENCE = 30.0
"""Seconds within which the first request must fail because the disk is full."""
_WAL_FILES = 20
"""More than PostgreSQL keeps for later use, because of _SETTINGS."""
_ROOM = 64 * 1024 * 1024
"""Bytes that the ballast gives back, at least."""
_LOOK = 0.05
_SETTINGS = "min_wal_size = '32MB'", "max_wal_size = '64MB'"
"""So that PostgreSQL doesn't fill the filesystem of the WAL itself."""
_MEGABYTES = 256


class NotMounted(BenchmarkError):
    """No filesystem can be mounted here."""


@dataclass(frozen=True)
class Disk:
    """A small filesystem."""

    folder: Path

    def fill(self, left: int) -> None:
        """Fills it with a file, except for these bytes. More, if it has been filled before."""
        with (self.folder / "ballast").open("ab") as ballast:
            while (more := self.free() - left) > 0:
                with suppress(OSError):  # PostgreSQL has taken it
                    os.posix_fallocate(ballast.fileno(), ballast.tell(), more)
                    ballast.seek(0, os.SEEK_END)

    def free(self) -> int:
        """The bytes that are free."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def empty(self) -> None:
        """Deletes this file."""
        (self.folder / "ballast").unlink(missing_ok=True)


@contextmanager
def _mounted(folder: Path, megabytes: int) -> Iterator[Disk]:
    folder.mkdir()
    if os.geteuid() != 0:
        raise NotMounted(NO_ROOT)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "leads-full-disk", str(folder)]
    try:
        try:
            mount = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise NotMounted("There is no program mount.") from None
        if mount.returncode != 0:
            raise NotMounted(f"No filesystem can be mounted here (in a container?): {mount.stderr.strip()}")
        yield Disk(folder)
    finally:
        # Also if a signal has come while mount ran.
        if folder.is_mount() and subprocess.run(["umount", folder], check=False).returncode != 0:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def small_site(megabytes: int = _MEGABYTES) -> Iterator[tuple[Site, Database, dict[str, Disk]]]:
    """Runs ``leads serve`` on two small filesystems during the block. Raises BenchmarkError,
    and NotMounted if that can't be done here.
    """
    with tempfile.TemporaryDirectory(prefix="leads-full-") as name, ExitStack() as mounts:
        Path(name).chmod(0o755)
        disks = {part: mounts.enter_context(_mounted(Path(name) / part, megabytes)) for part in ("data", "wal")}
        with running(disks["data"].folder):
            pass  # the first start creates the database
        old, new = disks["data"].folder / "data" / "postgres" / "pg_wal", disks["wal"].folder / "pg_wal"
        subprocess.run(["cp", "-a", old, new], check=True)
        shutil.rmtree(old)
        old.symlink_to(new)
        with running(disks["data"].folder) as (site, database):
            try:
                for setting in _SETTINGS:
                    database.sql(f"alter system set {setting}")
                database.sql("select pg_reload_conf()")
                yield site, database, disks
            finally:
                for disk in disks.values():
                    disk.empty()  # so that PostgreSQL can stop


@dataclass(frozen=True)
class Result:
    """What one case has shown. full: when the first request failed, and when space was given back.
    starts: of PostgreSQL. downs: the times without ``leads serve``. log: lines about requests that
    ``leads serve`` wrote afterwards. stuck: what did not recover.
    """

    case: str
    full: tuple[float, float]
    starts: int
    downs: Sequence[tuple[float, float]]
    load: Load
    readers: Load
    log: int
    effects: Effects
    stuck: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> list[Attempt]:
        """Each request."""
        return self.load.attempts + self.readers.attempts

    def while_full(self) -> list[Attempt]:
        """The requests that ended while the disk was full."""
        began, ended = self.full
        return [attempt for attempt in self.attempts if began <= attempt.began + attempt.seconds < ended]

    def recovery(self) -> float:
        """The seconds from the return of space to the first success of a write."""
        return min((moment - self.full[1] for moment in self.load.successes() if moment > self.full[1]), default=-1.0)

    def longest(self, *, push: bool = False) -> float:
        """The seconds of the longest request."""
        return max(load.longest(push=push, downs=self.downs) for load in (self.load, self.readers))

    def faults(self, longest: float = LONGEST) -> list[str]:
        """Each check that fails, as a sentence. longest: the seconds that a request may take."""
        every = replace(
            self.load,
            attempts=self.attempts,
            refused=self.load.refused + self.readers.refused,
            unfinished=self.load.unfinished + self.readers.unfinished,
        )
        found = effects.faults(self.effects, every)
        others = Counter(attempt.status for attempt in self.attempts if attempt.status > 500 and attempt.status != 503)
        found += [f"{count} answers were {status}." for status, count in others.items()]
        full = self.while_full()
        if not any(attempt.status == 503 and attempt.kind != "read" for attempt in full):
            found.append("No write was refused, so that the disk wasn't full.")
        failed = [attempt for attempt in full if attempt.kind == "read" and attempt.status != 200]
        if failed and "wal" not in CASES[self.case]:
            found.append(f"{len(failed)} reads failed.")
        if (took := self.longest()) > longest:
            found.append(f"A request took {took:.1f} s.")
        if (took := self.longest(push=True)) > longest + LONGEST_PUSH - LONGEST:
            found.append(f"A push took {took:.1f} s.")
        if not self.log:
            found.append("The server's log has ended.")
        return found + self.stuck


def run(
    site: Site,
    database: Database,
    disks: dict[str, Disk],
    organization: Organization,
    vendor: simulator.Simulator,
    case: str,
    *,
    seconds: float,
    clients: int,
    pause: float = 0.0,
    rest: float = 3.0,
    left: int = _LEFT,
    has_pushes: bool = True,
) -> Result:
    """Fills the filesystems of a case under load, gives the space back, and compares the effects.

    seconds: from the first request that fails. rest: the seconds of load before and after. left:
    the bytes that stay free at first. organization: a new one, connected to the vendor. Raises
    BenchmarkError.
    """
    load = Load(site.base, organization.keys["write"], clients, pause, has_pushes)
    readers = Load(site.base, organization.keys["read"], 2, 0.05, is_reading=True)
    downs, stuck, postmasters = len(site.downs), [], set()

    def look() -> None:
        with suppress(FileNotFoundError, IndexError, ValueError):
            postmasters.add(site.postmaster())
        time.sleep(_LOOK)

    for part in CASES[case]:
        disks[part].fill(_ROOM)  # so that little is to be written under load
    with load.running(), readers.running():
        time.sleep(rest)
        began, failed = time.monotonic(), None
        try:
            while time.monotonic() < (began + _PATIENCE if failed is None else failed + seconds):
                _fill(disks, case, left if failed is None else 0, database)
                look()
                failed = failed or _first_failure(load, began)
        finally:
            for disk in disks.values():
                disk.empty()
        freed = time.monotonic()
        if any(disk.free() < _ROOM for disk in disks.values()):
            raise BenchmarkError("PostgreSQL has filled a filesystem itself.")
        while not load.has_succeeded(freed) and time.monotonic() < freed + RECOVERY:
            look()
        if not load.has_succeeded(freed):
            stuck.append(f"No write succeeded within {RECOVERY:.0f} s after the space had been given back.")
        log_end = site.log.stat().st_size
        time.sleep(rest)
    site.wait()
    try:
        effects.wait_for_pushes(database, organization.id)
    except BenchmarkError as error:
        stuck.append(str(error))
    found = effects.read(database, organization.id, load, vendor.contacts)
    log = site.log.read_bytes()[log_end:].count(b'"request_id"')
    full = (failed or freed, freed)
    return Result(case, full, len(postmasters) - 1, site.downs[downs:], load, readers, log, found, stuck)


def _fill(disks: dict[str, Disk], case: str, left: int, database: Database) -> None:
    """Fills the filesystems of the case, and ends the file of the WAL that PostgreSQL writes to: such
    a file is 16 MB long, and there are files for later use.
    """
    for part in CASES[case]:
        disks[part].fill(left)
    if "wal" in CASES[case]:
        with suppress(psycopg.Error), database.connect() as connection:
            for _ in range(_WAL_FILES):
                disks["wal"].fill(left)  # PostgreSQL may have deleted files
                connection.execute("select pg_logical_emit_message(true, '', ''), pg_switch_wal()")


def _first_failure(load: Load, moment: float) -> float | None:
    """When the first request failed that was sent after the moment."""
    return min((a.began + a.seconds for a in list(load.attempts) if a.began > moment and a.status >= 500), default=None)


def table(results: list[Result]) -> Table:
    """A row for each case."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("full")
    for name in (
        "seconds\nfull",
        "while full:\nreads",
        "\nwrites",
        "\n503",
        "\nunknown\noutcome",
        "\ncon.\nlost",
        "500",
        "PostgreSQL\nstarts",
        "serve\nstarts",
        "lost",
        "doubled",
        "recovery\ns",
        "longest s:\nrequest",
        "\npush",
        "audit rows\nof changes",
        "chain",
    ):
        shown.add_column(name, justify="right")
    for result in results:
        full, found = result.while_full(), result.effects
        counts = (
            sum(attempt.kind == "read" and attempt.status == 200 for attempt in full),
            sum(attempt.has_written for attempt in full),
            sum(attempt.status == 503 for attempt in full),
            sum(attempt.code == "outcome_unknown" for attempt in full),
            sum(attempt.status == 0 for attempt in full),
            sum(attempt.status == 500 for attempt in result.attempts),
            result.starts,
            len(result.downs),
            len(found.lost),
            len(found.doubled),
        )
        shown.add_row(
            result.case,
            f"{result.full[1] - result.full[0]:.1f}",
            *(f"{count:,}" for count in counts),
            *(f"{figure:.1f}" for figure in (result.recovery(), result.longest(), result.longest(push=True))),
            f"{found.rows:,} of {found.changes:,}",
            "broken" if found.chain else "holds",
        )
    return shown


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", type=click.IntRange(1, 600), default=20, show_default=True, help="Seconds with a full disk.")
@click.option("--clients", type=click.IntRange(1, 200), default=12, show_default=True, help="Clients at once.")
@click.option("--case", "cases", type=click.Choice(list(CASES)), multiple=True, help="Only this case. [default: all]")
def full_disk(seconds: int, clients: int, cases: tuple[str, ...]) -> None:
    """Fill the disk under load; exit code 1 if a write is lost or doubled, or a check fails."""
    results = []
    try:
        with small_site() as (site, database, disks), simulator.running() as vendor:
            vendor.latency = 0.02
            for case in cases or CASES:
                print(f"Filling the disk of: {case} ...", file=sys.stderr)
                organization = connected(database, vendor, case)
                results.append(run(site, database, disks, organization, vendor, case, seconds=seconds, clients=clients))
    except NotMounted as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    Console(width=180).print(table(results))
    conclude([f"{result.case}: {fault}" for result in results for fault in result.faults()])


if __name__ == "__main__":
    end_on_sigterm()
    full_disk()
