"""Two cells, each with a PostgreSQL of its own that can replicate logically, and moves between them."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from app.cells import moves
from app.cli import migrate
from app.cli.keys import digest
from app.embedded import cluster
from app.settings import ROOT
from bench.hosts import Host
from tests.support.cells import Cells
from tests.support.chain import verdict
from tests.support.database import Database, Organization, announce_worker_key
from tests.support.pushing import wait_for

NAMES = ("a", "b")

SETTINGS = """\
wal_level = logical
max_slot_wal_keep_size = 4GB
fsync = off
"""
"""Lines of postgresql.conf of a cell whose organizations can move."""


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
            file.write(SETTINGS)
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


@contextmanager
def standby_of(primary: Host) -> Iterator[Host]:
    """A replica of a server, made with pg_basebackup."""
    standby = Host(primary.data.parents[1] / "standby")
    try:
        standby.copy(primary.server.url("postgres", "postgres"))
        standby.start()
        yield standby
    finally:
        standby.end()
        shutil.rmtree(standby.data.parent)


def prepare(cells: Cells, hosts: dict[str, Host]) -> None:
    """Runs the superuser's script in both cells. They reach each other by TCP, with passwords."""
    names = tuple(hosts)
    for name, other in (names, names[::-1]):
        peer = f"{other}=host=127.0.0.1 port={hosts[other].server.port} dbname=leads"
        url = hosts[name].server.url("postgres")
        process = cells.leads("cells", "prepare", name, "--peer", peer, "--superuser-url", url)
        assert process.returncode == 0, process.stderr


def killed_after(cells: Cells, step: str, *arguments: str) -> str:
    """Runs ``leads organizations`` in a process that kills itself after a step of the move. Returns what it says."""
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
    return process.stderr


@contextmanager
def after_steps(done: Callable[[str], None]) -> Iterator[None]:
    """In the block, a move in this process calls the function after each of its steps, with the step's name."""
    with patch.object(moves, "run", functools.partial(moves.run, done=done)):
        yield


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


def seal(databases: Mapping[str, Database], organization: str) -> list[str]:
    """Lets the sealers of all cells work. Returns the cells that have sealed an event of the organization."""
    sealers: list[str] = []
    for name, database in databases.items():
        after = None
        while rows := database.sql("select * from admin.seal_events(%s, 1000)", after, login="leads_worker"):
            if rows[0]["sealed"] < 1000:  # otherwise some may be left
                after = rows[0]["organization_id"]
            # Seals also arrive by the replication.
            if str(rows[0]["organization_id"]) == organization and rows[0]["sealed"] and name not in sealers:
                sealers.append(name)
    return sealers


@dataclass
class Pair:
    """Two prepared cells, each with an API server, behind a router."""

    cells: Cells
    hosts: dict[str, Host]
    sync: subprocess.Popen[bytes]
    """The process of ``leads cells sync``."""

    @contextmanager
    def sync_paused(self) -> Iterator[None]:
        """In the block, ``leads cells sync`` does not run. It would report a cell that can't be reached."""
        self.sync.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.sync.send_signal(signal.SIGCONT)

    def end_moves(self) -> None:
        """Ends all moves that are under way."""
        query = "select organization_id::text as id from app.placement where state <> 'moved'"
        for organization in {row["id"] for name in NAMES for row in self.cells.databases[name].sql(query)}:
            for option in ("--abort", "--resume"):
                if self.cells.leads("organizations", "move", organization, option).returncode == 0:
                    break

    def make(self, leads: int = 3, **options: Any) -> Organization:
        """An organization in the cell a, with leads, which the router knows."""
        made = self.cells.make_organization("a", **options)
        self.cells.databases["a"].sql(
            "insert into app.lead (organization_id, email) select %s, 'lead' || n || '@example.com' "
            "from generate_series(1, %s) as n",
            *(made.id, leads),
        )
        # leads cells sync tells the router of the keys.
        digests = {digest(key).hex() for key in made.keys.values()}
        wait_for(lambda: digests <= self.cells.map.keys())
        return made

    def client(self, cell: str, key: str) -> httpx.Client:
        """A client of a cell's own address."""
        return self.cells.servers[cell][0].client(key)

    def places(self, organization: str) -> tuple[str, ...]:
        """Where each cell stands."""
        return tuple(
            str(self.cells.databases[name].sql("select admin.placement(%s) as place", organization)[0]["place"])
            for name in NAMES
        )

    def statuses(self, organization: Organization) -> tuple[int, ...]:
        """What each cell answers at its own address."""
        found = []
        for name in NAMES:
            with self.client(name, organization.keys["read"]) as client:
                found.append(client.get("/leads").status_code)
        return tuple(found)

    def work(self, organization: str) -> list[str]:
        """Lets the sealers of both cells work. Returns the cells that have sealed an event of the organization."""
        return seal(self.cells.databases, organization)

    def leftovers(self) -> list[str]:
        """Logins, slots, subscriptions and files of moves."""
        found = []
        for name in NAMES:
            database = self.cells.databases[name]
            for query in (
                "select rolname as name from pg_roles where rolname like 'leads\\_move\\__%'",
                "select slot_name as name from pg_replication_slots",
                "select subname as name from pg_subscription",
                "select pubname as name from pg_publication",
            ):
                found += [f"{name}: {row['name']}" for row in database.sql(query)]
            found += [str(path) for path in self.hosts[name].data.glob("pgsql_tmp_leads*")]
        return found


@dataclass
class Writer:
    """Writes leads with an Idempotency-Key each, and repeats what was refused with 503."""

    client: httpx.Client
    fields: dict[str, str] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    leads: list[str] = field(default_factory=list)
    refused: int = 0
    faults: list[str] = field(default_factory=list)

    @contextmanager
    def running(self, pause: float = 0) -> Iterator[None]:
        """Writes during the block, with a pause of so many seconds before each lead."""
        is_over = threading.Event()

        def run() -> None:
            while not is_over.wait(pause):
                email = f"{uuid.uuid4().hex}@example.com"
                while not self.write(email):
                    time.sleep(0.05)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def write(self, email: str) -> bool:
        """Whether the lead was created, or will never be."""
        try:
            answer = self.client.post(
                "/leads", json={"email": email, **self.fields}, headers={"Idempotency-Key": email}
            )
        except httpx.TransportError as error:
            self.faults.append(repr(error))
            return True
        if answer.status_code == 503 and "retry-after" in answer.headers:
            self.refused += 1
            return False
        if answer.status_code == 201:
            self.created.append(email)
            self.leads.append(answer.json()["id"])
        else:
            self.faults.append(f"{answer.status_code} {answer.text}")
        return True


def check_moves_while_all_write(
    cells: Cells,
    hosts: dict[str, Host],
    organizations: Sequence[Organization],
    client: Callable[[str], httpx.Client],
    rounds: int,
) -> None:
    """Moves the first organization from the first cell to the other one and back, while all of them write.

    organizations: of the first cell, with no lead but those whose email begins with "lead". client: a client
    of the entrance, with a key.
    """
    home, other = hosts
    acme = organizations[0]
    writers = [Writer(client(each.keys["write"])) for each in organizations]
    with ExitStack() as stack:
        for writer in writers:
            stack.enter_context(writer.running())
        for _ in range(rounds):
            for source, target in ((home, other), (other, home)):
                moved(cells, acme.id, target)
                deleted(cells, hosts, acme.id, source)
    assert [writer.faults for writer in writers] == [[] for _ in writers], [writer.faults for writer in writers]
    assert [writer.refused for writer in writers[1:]] == [0] * (len(writers) - 1)
    database = cells.databases[home]
    for organization, writer in zip(organizations, writers, strict=True):
        assert writer.created
        rows = database.sql(
            "select email from app.lead where organization_id = %s and email not like 'lead%%'", organization.id
        )
        assert sorted(row["email"] for row in rows) == sorted(writer.created)
        seal(cells.databases, organization.id)
        chain = verdict(database, organization.id)
        assert (chain["holds"], chain["unsealed"]) == (True, 0), chain
    print(f"{len(writers[0].created)} writes of the moved organization, {writers[0].refused} refused")
