"""The server's log. The server appends to one file for as long as it runs, so that the file is
copied and emptied when it is long.

PostgreSQL's own collector bounds the size of a file or the number of files, but not both, and does
not get the errors of a start. Lines that the server writes between the last read and the truncation,
a few milliseconds, are lost.
"""

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from app.embedded.folders import open_file

LIMIT = 16 << 20
"""Bytes after which the log is rotated."""
KEPT = 4
"""Rotated files that are kept."""


def path(data_dir: Path, number: int = 0) -> Path:
    """Return the file with that number; 0 is the present one, and 1 the one before it."""
    return data_dir / ("postgresql.log" + (f".{number}" if number else ""))


def rotate(data_dir: Path) -> None:
    """Copy a log that is longer than LIMIT to another file, and empty it.
    Several processes may call this at the same time.
    """
    # On a full disk the log stays as it is. It can't grow there.
    with suppress(OSError):
        if path(data_dir).stat().st_size > LIMIT:
            _rotate(data_dir)


def _rotate(data_dir: Path) -> None:
    new = data_dir / "postgresql.log.new"
    with open_file(path(data_dir), os.O_RDWR) as log:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(log.fileno()).st_size <= LIMIT:
            return  # another process has just rotated it
        with open_file(new, os.O_RDWR | os.O_TRUNC) as copy:
            try:
                shutil.copyfileobj(log, copy)
                copy.flush()
            except OSError:
                new.unlink()
                raise
            for number in range(KEPT, 1, -1):
                with suppress(FileNotFoundError):
                    path(data_dir, number - 1).rename(path(data_dir, number))
            new.rename(path(data_dir, 1))
            shutil.copyfileobj(log, copy)  # what was written meanwhile
            os.ftruncate(log.fileno(), 0)


def size(data_dir: Path) -> int:
    """Return the bytes of the present file."""
    return path(data_dir).stat().st_size


def since(data_dir: Path, start: int) -> str:
    """Return what was written after the file had `start` bytes."""
    content = path(data_dir).read_bytes()
    # It is shorter if it was rotated meanwhile.
    return content[start if len(content) >= start else 0 :].decode(errors="replace")


def end(data_dir: Path, length: int) -> str:
    """Return the last bytes, also those of the file before. Raises OSError."""
    content = _tail(path(data_dir), length)
    with suppress(FileNotFoundError):
        content = _tail(path(data_dir, 1), length - len(content)) + content
    return content.decode(errors="replace")


def _tail(file: Path, length: int) -> bytes:
    with file.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - length))
        return log.read()
