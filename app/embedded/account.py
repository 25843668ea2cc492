"""The account that the server runs as: the current user,
or a system user of its own if that is root.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.embedded.errors import EmbeddedError

SYSTEM_USER = "leads-postgres"

_MALLOC = {
    "MALLOC_TOP_PAD_": "262144",
    "MALLOC_TRIM_THRESHOLD_": "4194304",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
}
"""Bytes; variables of glibc (mallopt(3)). By default, a session returns memory to the system after
each statement and gets it back for the next one. A page of leads then cost 5 to 15 % more of
PostgreSQL's processor time. A session may keep some MiB more.
"""


def user_name(uid: int) -> str:
    """Return the name of a user, or `user <uid>` if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def server_account() -> pwd.struct_passwd:
    """Return the account that the server runs as, and create it if it is missing.
    Raises EmbeddedError.
    """
    if os.geteuid() != 0:
        with suppress(KeyError):
            return pwd.getpwuid(os.geteuid())
        reason = f"User {os.geteuid()} has no name on this system, and PostgreSQL needs one"
    else:
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        reason = f"PostgreSQL refuses to run as root, and the user {SYSTEM_USER} can't be created (no program useradd)"
        if useradd := shutil.which("useradd"):
            options = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
            with Path("/etc/passwd").open() as users:
                # Two processes that start at the same time must not both create it.
                fcntl.flock(users, fcntl.LOCK_EX)
                with suppress(KeyError):
                    return pwd.getpwnam(SYSTEM_USER)
                result = subprocess.run(
                    [useradd, *options, SYSTEM_USER], capture_output=True, encoding="utf-8", errors="replace"
                )
            with suppress(KeyError):
                return pwd.getpwnam(SYSTEM_USER)
            reason = reason.replace("no program useradd", result.stderr.strip())
    raise EmbeddedError(f"{reason}: run as an ordinary user, or set DATABASE_URL to the address of a running server.")


def subprocess_options(account: pwd.struct_passwd) -> dict[str, Any]:
    """Return subprocess's arguments to run a program as `account`,
    without the secrets in our environment.
    """
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    common = {"cwd": "/", "stdin": subprocess.DEVNULL, "env": environment | _MALLOC | {"LC_ALL": "C"}, "umask": 0o077}
    if account.pw_uid == os.geteuid():
        return common
    return common | {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def can_run(account: pwd.struct_passwd, *command: str | Path) -> bool:
    """Say whether `command` succeeds for `account`.
    It is tried, because modes alone don't tell (ACLs, mounts).
    """
    try:
        return subprocess.run(command, capture_output=True, **subprocess_options(account)).returncode == 0
    except PermissionError:
        return False


def check_reachable(data_dir: Path, account: pwd.struct_passwd) -> None:
    """Raise EmbeddedError if `account` can't enter `data_dir`."""
    for folder in (*reversed(data_dir.parents), data_dir):
        if not can_run(account, "/bin/sh", "-c", 'cd -- "$1"', "sh", folder):
            raise EmbeddedError(
                f"The server's user, {account.pw_name}, can't enter {folder}: name a folder that it can reach, say "
                "/var/lib/leads, in LEADS_DATA_DIR, or run as an ordinary user."
            )
