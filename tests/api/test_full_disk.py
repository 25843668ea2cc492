"""The small version of ``make full-disk``: no effect of a write is lost or doubled when the disk is
full, and the service recovers. Each of its checks can fail; those of effects do in test_crash.py.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.settings import ROOT
from bench import full_disk
from bench.effects import Effects
from bench.full_disk import Disk, NotMounted, Result, small_site
from bench.mixed import Attempt, Load
from bench.site import Site, connected
from tests.support import simulator
from tests.support.database import Database
from tests.support.pushing import wait_for

BUSY = 29.0
"""Seconds that a request may take on a busy machine."""
NO_EFFECTS = Effects([], [], [], "", 0, 0)
Small = tuple[Site, Database, dict[str, Disk]]


@pytest.fixture(scope="module")
def small() -> Iterator[Small]:
    """``leads serve`` on two small filesystems."""
    try:
        with small_site(megabytes=192) as started:
            yield started
    except NotMounted as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def vendor() -> Iterator[simulator.Simulator]:
    """A simulated CRM."""
    with simulator.running() as started:
        yield started


def filled(small: Small, vendor: simulator.Simulator, case: str, *, has_pushes: bool = False) -> Result:
    """What a case shows in a short time: without pushes, because one that is interrupted may wait for
    the end of its lease, 15 seconds.
    """
    site, database, disks = small
    organization = connected(database, vendor, case)
    run = partial(full_disk.run, site, database, disks, organization, vendor, case, has_pushes=has_pushes)
    # On a busy machine, the writes need seconds until the rest of the disk is full.
    return run(seconds=4, clients=6, pause=0.01, rest=0.5, left=16384)


@pytest.mark.parametrize("case", ["tables", "WAL"])
def test_no_effect_is_lost_and_the_service_recovers(case: str, small: Small, vendor: simulator.Simulator) -> None:
    result = filled(small, vendor, case)
    assert result.faults(BUSY) == []
    assert {write.kind for write in result.load.writes} == {"create", "signal", "patch"}
    if case == "tables":
        reads = {attempt.status for attempt in result.while_full() if attempt.kind == "read"}
        assert (result.starts, reads) == (0, {200})
    else:
        assert result.starts > 0
        log = small[0].log.read_text()
        assert "PostgreSQL has ended and is started again" in log
        assert "No space left on device. There is no room left on the disk." in log


def test_a_disk_that_is_not_full_is_a_fault_and_the_worker_goes_on(
    small: Small, vendor: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "fill", lambda disk, left: None)
    monkeypatch.setattr(full_disk, "_PATIENCE", 0.3)
    result = filled(small, vendor, "tables", has_pushes=True)
    assert result.faults(BUSY) == ["No write was refused, so that the disk wasn't full."]
    assert "push" in {write.kind for write in result.load.writes}


REFUSED = Attempt("create", 503, "unavailable", 10.0, 0.1)


def result(*attempts: Attempt, **changes: object) -> Result:
    """A result without a fault, with these requests and changes."""
    load = Load("", "", attempts=[REFUSED, *attempts])
    good = Result("tables", (10.0, 20.0), 0, [], load, Load("", ""), 1, NO_EFFECTS)
    return replace(good, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "faults"),
    [
        (result(), []),
        (result(Attempt("read", 503, "unavailable", 9.0, 0.5)), []),
        (result(Attempt("read", 503, "unavailable", 9.0, 1.5)), ["1 reads failed."]),
        (result(Attempt("read", 0, "", 11.0, 0.1)), ["1 reads failed."]),
        (result(Attempt("read", 503, "unavailable", 11.0, 0.1), case="WAL"), []),
        (result(Attempt("create", 500, "internal", 21.0, 0.1)), ["1 answers were 500."]),
        (result(Attempt("create", 507, "", 11.0, 0.1)), ["1 answers were 507."]),
        (result(Attempt("patch", 503, "unavailable", 11.0, 5.1)), ["A request took 5.1 s."]),
        (result(Attempt("push", 202, "", 21.0, 15.1)), ["A push took 15.1 s."]),
        (result(full=(10.5, 20.0)), ["No write was refused, so that the disk wasn't full."]),
        (result(log=0), ["The server's log has ended."]),
        (result(stuck=["It is down."]), ["It is down."]),
        (result(effects=replace(NO_EFFECTS, lost=["push x"])), ["An acknowledged write is lost: push x."]),
        (result(effects=replace(NO_EFFECTS, doubled=["x"])), ["An effect exists more than once: x."]),
        (result(effects=replace(NO_EFFECTS, audit=["x"])), ["The audit log and the changes differ: x."]),
        (result(effects=replace(NO_EFFECTS, chain="x")), ["The audit chain doesn't verify: x."]),
    ],
)
def test_each_check_can_fail(found: Result, faults: list[str]) -> None:
    assert found.faults() == faults


def test_a_request_that_is_refused_or_never_succeeds_is_a_fault() -> None:
    readers = Load("", "", refused=["GET /leads: 404 not_found"], unfinished=["GET /leads: 503 unavailable"])
    assert len(result(readers=readers).faults()) == 2


def test_recovery_is_the_first_write_that_succeeds_afterwards() -> None:
    attempts = Attempt("create", 201, "", 19.0, 0.5), Attempt("read", 200, "", 20.0, 0.5)
    assert result(*attempts, Attempt("create", 201, "", 19.0, 3.0)).recovery() == 2.0


def test_the_command_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    command = CliRunner().invoke(full_disk.full_disk)
    assert (command.exit_code, command.stderr) == (2, full_disk.NO_ROOT + "\n")


def test_a_signal_unmounts(small: Small, tmp_path: Path) -> None:
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    command = subprocess.Popen([sys.executable, "-m", "bench.full_disk"], cwd=ROOT, env=environ)
    wait_for(lambda: list(tmp_path.glob("*/data/data")), 120)  # `leads serve` runs
    assert str(tmp_path) in Path("/proc/mounts").read_text()
    command.send_signal(signal.SIGTERM)
    assert command.wait(60) == 128 + signal.SIGTERM
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert list(tmp_path.iterdir()) == []
