"""The data folder, the socket's folder, and the lock that one process holds while it starts or
stops the server.
"""

import fcntl
import hashlib
import os
import pwd
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from app.embedded.account import user_name
from app.embedded.errors import EmbeddedError

# sizeof(sockaddr_un.sun_path) minus the closing NUL: unix(7), and <sys/un.h> of macOS.
_SOCKET_PATH_MAX = 107 if sys.platform == "linux" else 103


def make_data_dir(data_dir: Path) -> None:
    """Create the data folder, or check that an existing one is safe to use.
    Raises EmbeddedError.
    """
    with suppress(FileExistsError):  # it exists, or another process has just created it
        data_dir.mkdir(parents=True)
        data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)  # root's must let the server's account through
    status = data_dir.stat()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EmbeddedError(
            f"The folder {data_dir} must belong to {user_name(os.geteuid())}, and nobody else may write in it (it "
            f"belongs to {user_name(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):o}): name another one in "
            "LEADS_DATA_DIR."
        )


def make_socket_dir(data_dir: Path, account: pwd.struct_passwd) -> Path:
    """Return the socket's folder, for `account` alone; never one that somebody else created.
    Raises EmbeddedError.
    """
    folder = data_dir / "run"
    # A comma separates hosts in a libpq address, and folders in the server's setting.
    if len(os.fsencode(folder / ".s.PGSQL.65535")) > _SOCKET_PATH_MAX or set(str(folder)) & set(',"'):
        run_time = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")
        usable = os.geteuid() != 0 and run_time.is_dir() and len(os.fsencode(run_time)) < 48
        digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
        folder = (run_time if usable else Path("/tmp")) / f"leads-{account.pw_uid}-{digest}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    is_ours = status.st_uid in (account.pw_uid, os.geteuid())
    if not stat.S_ISDIR(status.st_mode) or not is_ours or status.st_mode & 0o077:
        raise EmbeddedError(f"{folder} must be a folder of {account.pw_name}, mode 0700, and is not: remove it.")
    os.chown(folder, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return folder


def open_file(path: Path, flags: int) -> IO[bytes]:
    """Open a file that only the current user may read, and create it if it is missing."""
    return open(os.open(path, flags | os.O_CREAT, 0o600), "ab" if flags & os.O_APPEND else "r+b")


def polls(message: str) -> Iterator[None]:
    """Yield every 10 ms, forever. After five seconds,
    print once on stderr what is being waited for.
    """
    print_at = time.monotonic() + 5
    while True:
        yield
        time.sleep(0.01)
        if time.monotonic() > print_at:
            print(message, file=sys.stderr, flush=True)
            print_at = float("inf")


@contextmanager
def exclusive(data_dir: Path, name: str = "start.lock", what: str = "starts or stops") -> Iterator[None]:
    """Hold the lock `name` for the block. `what` says what its holder does with the database."""
    with open_file(data_dir / name, os.O_RDWR) as lock:
        for _ in polls(f"Waiting for another process, which {what} the database in {data_dir}."):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        yield
