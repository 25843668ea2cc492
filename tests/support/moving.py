"""Two cells, each with a PostgreSQL of its own that can replicate logically, and moves between them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli import migrate
from app.embedded import cluster
from app.settings import ROOT
from bench.hosts import Host
from tests.support.cells import Cells
from tests.support.database import announce_worker_key

NAMES = ("a", "b")

_SETTINGS = """\
wal_level = logical
max_slot_wal_keep_size = 4GB
fsync = off
"""


@contextmanager
def two_hosts() -> Iterator[dict[str, Host]]:
    """Two servers with the same empty database of the product."""
    folder = Path(tempfile.mkdtemp(prefix="leads-cells-"))
    folder.chmod(0o755)  # the account of PostgreSQL enters it
    hosts = {name: Host(folder / name) for name in NAMES}
    first, second = hosts.values()
    try:
        first.create()
        with (first.data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS)
        first.start()
        cluster.create_database(first.server)
        migrate.apply(first.server.url("leads_migrator"))
        announce_worker_key(first.server.url("leads_worker"))
        first.end()
        # A copy, which saves the time of the migrations. Moves don't use the identifier of the system.
        shutil.copytree(first.data, second.data)
        for path in (second.data, *second.data.rglob("*")):
            second.own(path)
        for host in hosts.values():
            host.start()
        yield hosts
    finally:
        for host in hosts.values():
            host.end()
        shutil.rmtree(folder)


def prepare(cells: Cells, hosts: dict[str, Host]) -> None:
    """Runs the superuser's script in both cells. They reach each other by TCP, with passwords."""
    for name, other in (NAMES, NAMES[::-1]):
        peer = f"{other}=host=127.0.0.1 port={hosts[other].server.port} dbname=leads"
        url = hosts[name].server.url("postgres")
        process = cells.leads("cells", "prepare", name, "--peer", peer, "--superuser-url", url)
        assert process.returncode == 0, process.stderr


def killed_after(cells: Cells, step: str, *arguments: str) -> None:
    """Runs ``leads organizations`` in a process that kills itself after a step of the move."""
    code = (
        "import os, signal, sys\n"
        "from app import cli\n"
        "from app.cells import moves\n"
        "run = moves.run\n"
        "def kill(step):\n"
        f"    if step == {step!r}:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "moves.run = lambda move: run(move, kill)\n"
        "cli.leads(sys.argv[1:])\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, "organizations", *arguments],
        cwd=ROOT,
        env={**os.environ, **cells.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr


def moved(cells: Cells, organization: str, to: str, *options: str) -> str:
    """Moves an organization, and returns what the command prints."""
    process = cells.leads("organizations", "move", organization, "--to", to, *options)
    assert process.returncode == 0, process.stderr
    return process.stdout


def deleted(cells: Cells, hosts: dict[str, Host], organization: str, at: str) -> None:
    """Deletes the rows that a move has left in a cell."""
    url = hosts[at].server.url("leads_migrator")
    process = cells.leads("organizations", "delete-moved", organization, "--yes", LEADS_MIGRATE_URL=url)
    assert process.returncode == 0, process.stderr
