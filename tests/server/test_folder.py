"""The folder for the files of server processes."""

import fcntl
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.server.folder import folder as new_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "files"


def test_the_folder_is_private_and_removed_and_so_are_those_of_killed_processes(folder: Path) -> None:
    left = folder.with_name("leads-serve-left")
    left.mkdir()
    used = folder.with_name("leads-serve-used")
    used.mkdir()
    descriptor = os.open(used, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with new_folder() as path:
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "0.json").write_text("{}")
        assert not left.exists()
        assert used.exists(), "a process that runs uses it"
    assert not path.exists()
    os.close(descriptor)


def test_programs_that_start_at_the_same_time_have_a_folder_each(folder: Path) -> None:
    """Each removes the folders that no process has locked."""

    def start_and_end(number: int) -> None:
        for _ in range(100):
            with new_folder() as path:
                (path / "0.json").write_text(str(number))
                assert (path / "0.json").read_text() == str(number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(start_and_end, range(4)))
    assert not list(folder.parent.glob("leads-serve-*"))
