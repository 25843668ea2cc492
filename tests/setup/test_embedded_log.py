"""The embedded server's log is rotated, and the reason of the server's end is found nevertheless."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from app.embedded import log_file, process, running
from app.embedded.log_file import KEPT
from tests.support.pushing import wait_for

LIMIT = 30_000


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder with a small limit. Every user of the system can enter the one above it."""
    monkeypatch.setattr(log_file, "LIMIT", LIMIT)
    folder = Path(tempfile.mkdtemp(prefix="leads-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder / "data"
    process.stop(folder / "data")
    shutil.rmtree(folder)


def files(place: Path) -> list[Path]:
    """The log, the oldest file first."""
    return [file for number in range(KEPT, -1, -1) if (file := log_file.path(place, number)).exists()]


def inode_of_newest(place: Path) -> int | None:
    """The inode of the newest rotated file. While the log is rotated, there is none for a moment."""
    with suppress(FileNotFoundError):
        return log_file.path(place, 1).stat().st_ino
    return None


def numbers(place: Path) -> list[int]:
    """The numbers of the lines that are left."""
    text = "".join(file.read_text() for file in files(place))
    return [int(line.rpartition("line ")[2]) for line in text.splitlines() if "LOG:  line " in line]


def test_the_log_is_rotated_while_the_server_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        running(place, is_supervised=True, options={"fsync": "off"}) as server,
        psycopg.connect(server.url("postgres"), autocommit=True) as connection,
    ):
        for first in range(0, 8000, 1000):
            before = inode_of_newest(place)
            # On a busy machine, the log would be rotated several times while these lines are written.
            monkeypatch.setattr(log_file, "LIMIT", 100 * LIMIT)
            connection.execute(
                f"do $$ begin for i in {first}..{first + 999} loop raise log 'line %', i; end loop; end $$".encode()
            )
            monkeypatch.setattr(log_file, "LIMIT", LIMIT)
            wait_for(lambda: inode_of_newest(place) not in (None, before))  # noqa: B023
            wait_for(lambda: log_file.size(place) < LIMIT)
        connection.execute("do $$ begin raise log 'line 8000'; end $$")
        assert not (place / "postgresql.log.new").exists()
        assert len(files(place)) == KEPT + 1
        assert {file.stat().st_mode & 0o777 for file in files(place)} == {0o600}
        left = numbers(place)
        assert left == sorted(set(left))
        assert left[-1] == 8000
        assert 8000 - KEPT * 1000 <= left[0] <= 8000 - (KEPT - 1) * 1000
        assert sum(file.stat().st_size for file in files(place)) < (KEPT + 1) * 3 * LIMIT
        assert (place / "postgres").exists()


def test_a_long_log_is_rotated_at_a_start(place: Path) -> None:
    with running(place, options={"fsync": "off"}):
        pass
    with log_file.path(place).open("a") as log:
        log.write("LOG:  line 1\n" * 5000)
    with running(place, options={"fsync": "off"}):
        assert log_file.size(place) < LIMIT
        assert len(numbers(place)) == 5000


def test_processes_rotate_one_at_a_time(place: Path) -> None:
    place.mkdir()
    log_file.path(place).write_text("".join(f"LOG:  line {n}\n" for n in range(5000)))
    threads = [threading.Thread(target=log_file.rotate, args=(place,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log_file.size(place) == 0
    assert len(files(place)) == 2
    assert numbers(place) == list(range(5000))


def test_the_reason_of_an_end_is_found_in_a_rotated_log(place: Path) -> None:
    place.mkdir()
    start = "[7] LOG:  database system is ready to accept connections\n"
    panic = "[9] PANIC:  could not locate a valid checkpoint record\n"
    log_file.path(place).write_text("x\n" * LIMIT + start + panic)
    log_file.rotate(place)
    assert log_file.size(place) == 0
    assert process.why_ended(place, 7) == "could not locate a valid checkpoint record."
    log_file.path(place).write_text("[7] LOG:  database system is shut down\n")
    assert process.why_ended(place, 7) == "could not locate a valid checkpoint record."


def test_what_a_start_has_written_is_read_after_a_rotation(place: Path) -> None:
    place.mkdir()
    log_file.path(place).write_text("before\nFATAL:  the reason\n")
    assert log_file.since(place, len("before\n")) == "FATAL:  the reason\n"
    assert log_file.since(place, 10 * LIMIT) == "before\nFATAL:  the reason\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_that_can_not_be_copied_stays(place: Path) -> None:
    place.mkdir()
    log_file.path(place).write_text("x\n" * LIMIT)
    (place / "postgresql.log.new").symlink_to("/dev/full")
    log_file.rotate(place)
    assert log_file.size(place) == 2 * LIMIT
    assert files(place) == [log_file.path(place)]
    assert not (place / "postgresql.log.new").is_symlink()


def test_a_server_that_is_killed_is_started_again_after_a_rotation(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(place, is_supervised=True, options={"fsync": "off"}) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("do $$ begin for i in 1..1000 loop raise log 'line %', i; end loop; end $$")
        wait_for(lambda: log_file.path(place, 1).exists())
        pid = process.running_pid(place)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: process.running_pid(place) not in (None, pid))
        wait_for(lambda: "ready to accept connections" in log_file.path(place).read_text())
    assert "SIGKILL ended its process." in capfd.readouterr().err
