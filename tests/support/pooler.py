"""PgBouncer in transaction mode, with the configuration in docs/pooler.md."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import embedded
from app.embedded.account import server_account
from app.settings import ROOT
from tests.support.process import free_port, wait_until_open

_PAGE = ROOT / "docs" / "pooler.md"


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer. url: its address for the API server."""

    url: str
    pid: int


def program() -> str | None:
    """The program in PGBOUNCER, or the installed one."""
    return os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")


def version(path: str) -> tuple[int, int]:
    """The version of the PgBouncer at the path, such as (1, 24)."""
    text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"PgBouncer (\d+)\.(\d+)", text)
    assert match, f"{path} is no PgBouncer: it prints {text.strip()}"
    return int(match[1]), int(match[2])


def documented() -> str:
    """The configuration in the page."""
    return _PAGE.read_text().partition("```ini\n")[2].partition("```")[0]


@contextmanager
def running(
    path: str, server: embedded.Server, database: str, *, is_resetting: bool = True, sessions: int = 1
) -> Iterator[Pooler]:
    """Runs the PgBouncer at the path before a database, as the account of PostgreSQL, because it
    refuses to run as root. PostgreSQL must let this account in as leads_api.

    is_resetting: with the page's reset between two transactions. sessions: to PostgreSQL, at most.
    """
    account, port = server_account(), free_port()
    owner: dict[str, Any] = {}
    if os.geteuid() != account.pw_uid:
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="leads-pooler-"))
    (folder / "users").write_text('"leads_api" ""\n')
    (folder / "ini").write_text(_settings(server, database, port, folder, sessions, is_resetting=is_resetting))
    for file in (folder, *folder.iterdir()):
        shutil.chown(file, account.pw_uid, account.pw_gid)
    process = subprocess.Popen([path, "-q", folder / "ini"], cwd="/", stderr=subprocess.DEVNULL, **owner)
    try:
        wait_until_open(port, process, folder / "log")
        yield Pooler(f"postgresql://leads_api@127.0.0.1:{port}/{database}", process.pid)
    finally:
        process.kill()  # from 1.23 on, SIGTERM waits for the clients
        process.wait()
        shutil.rmtree(folder)


def _settings(
    server: embedded.Server, database: str, port: int, folder: Path, sessions: int, *, is_resetting: bool
) -> str:
    text = documented()
    assert "server_reset_query_always = 1" in text
    lines = [line for line in text.splitlines() if is_resetting or not line.startswith("server_reset_query")]
    place = f"{database} = host={server.socket_dir} port={server.port} connect_query="
    lines = [re.sub(r"^leads = .* connect_query=", lambda _: place, line) for line in lines]
    own = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "trust",
        "auth_file": folder / "users",
        "logfile": folder / "log",
        "default_pool_size": sessions,
    }
    return "\n".join([*lines, *(f"{name} = {value}" for name, value in own.items())]) + "\n"
