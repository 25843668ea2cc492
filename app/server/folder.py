"""A private temporary folder for files that the server processes of ``leads serve`` share."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "leads-serve-"


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder for the files, which only this user can read. It is removed at the end of the block.
    Folders that killed processes have left are removed too.
    """
    for left in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        with contextlib.suppress(OSError), _locked(left):
            shutil.rmtree(left)
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with contextlib.ExitStack() as stack:
            try:
                # systemd-tmpfiles, too, leaves a folder alone that is locked.
                stack.enter_context(_locked(path))
            except OSError:
                continue
            # Until it was locked, another process that starts could take it for one that was left, and remove it.
            if not path.is_dir():
                continue
            try:
                yield path
            finally:
                shutil.rmtree(path, ignore_errors=True)
            return


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raises OSError if another process has locked the folder, or owns it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
