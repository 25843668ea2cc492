"""The totals of server processes, and their files."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.server import totals
from app.server.totals import File, collect

LEADS = ("GET", "/leads")

PROCESS = """
import sys, time
from pathlib import Path
from app.server.totals import File
file = File(Path(sys.argv[1]))
file.totals.add_request(("GET", "/leads"), 200, 0.02)
file.totals.add_statement("api.list_leads", 0.5)
file.totals.reconnects += 1
file.write({"pool_idle": 8})
print("written", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = tmp_path / "files"
    path.mkdir()
    return path


def start(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", PROCESS, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_request_is_counted_in_the_first_bucket_that_holds_its_duration() -> None:
    counted = totals.Totals()
    for seconds in (0.001, 0.005, 0.006, 99.0):
        counted.add_request(LEADS, 200, seconds)
    assert counted.requests[LEADS, 200] == pytest.approx([2, 1, 0, 0, 0, 0, 0, 1, 99.012])


def test_the_counts_of_processes_add_up_and_those_of_killed_ones_remain(folder: Path) -> None:
    first, second = start(folder), start(folder)
    sums, gauges = collect(folder)
    assert sums.requests[LEADS, 200] == pytest.approx([0, 0, 2, 0, 0, 0, 0, 0, 0.04])
    assert sums.statements == {"api.list_leads": [2, 1.0]}
    assert gauges == [{"pool_idle": 8}] * 2

    end(first)
    sums, gauges = collect(folder)
    assert (sum(sums.requests[LEADS, 200][:-1]), sums.reconnects, len(gauges)) == (2, 2, 1)

    third = start(folder)
    sums, gauges = collect(folder)
    assert (sum(sums.requests[LEADS, 200][:-1]), sums.reconnects, len(gauges)) == (3, 3, 2)
    assert len(list(folder.glob("*.json"))) == 2, "a new process takes the file of the one that was killed"
    end(second)
    end(third)
    assert collect(folder)[1] == []


def test_a_file_that_cannot_be_written_is_written_later(folder: Path) -> None:
    file = File(folder)
    file.totals.add_request(LEADS, 200, 0.1)
    folder.rename(folder.with_name("away"))
    file.write({})
    folder.with_name("away").rename(folder)
    file.write({})
    assert (LEADS, 200) in collect(folder)[0].requests
    file.close()
