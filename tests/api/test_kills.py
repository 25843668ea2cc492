"""PostgreSQL's processes are killed under load, or PostgreSQL becomes a standby."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from app import embedded
from app.cli import migrate
from app.embedded import account
from bench.mixed import Load
from tests.support.contract import check_problem
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Server

LONGEST = 30.0
"""Seconds: a request that takes as long hangs, and the client gives up. It should take at most 5, but on a busy machine
it takes more.
"""


class Cluster:
    """A PostgreSQL that the tests can kill and start again."""

    def __init__(self, folder: Path, server: embedded.Server) -> None:
        self.folder = folder / "postgres"
        self.database = Database(server, "leads")
        self._command = (Path("/proc") / str(self.pid) / "cmdline").read_bytes().decode().split("\0")[:-1]
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def pid(self) -> int:
        """The postmaster's process."""
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Starts it, and waits until it accepts connections."""
        with (self.folder.parent / "second.log").open("ab") as log:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                # It refuses to start while processes of the killed one are left.
                child = subprocess.Popen(
                    self._command, stdout=log, stderr=log, **account.subprocess_options(account.server_account())
                )
                self._children.append(child)
                while child.poll() is None:
                    time.sleep(0.05)
                    assert time.monotonic() < end
                    with contextlib.suppress(psycopg.OperationalError):
                        self.database.sql("select 1")
                        return

    def stop(self, number: signal.Signals) -> None:
        """Ends it with this signal, and waits for the end."""
        pid = self.pid
        os.kill(pid, number)
        own = [child for child in self._children if child.pid == pid]
        if own:
            own[0].wait()
        else:
            os.waitpid(pid, 0)  # app.embedded has started it

    def wait(self) -> None:
        """Waits for the end of all processes that were started."""
        for child in self._children:
            child.wait(30)

    def backends(self) -> list[int]:
        """The API server's sessions."""
        rows = self.database.sql("select pid from pg_stat_activity where application_name = 'leads-api'")
        return [row["pid"] for row in rows]


@pytest.fixture(scope="module")
def cluster(run_dir: Path) -> Iterator[Cluster]:
    """A cluster of its own, because its end would end the other tests' sessions."""
    folder = run_dir / f"killed-{os.getpid()}"
    with embedded.running(folder, options={"fsync": "off"}) as server:
        migrate.apply(server.url("leads_migrator"))
        cluster = Cluster(folder, server)
        yield cluster
    cluster.wait()


@pytest.fixture(scope="module")
def acme(cluster: Cluster) -> Organization:
    """An organization."""
    return make_organization(cluster.database)


@pytest.fixture(scope="module")
def server(cluster: Cluster, new_server: Callable[..., Server]) -> Server:
    """A server, which runs on uvloop."""
    return new_server(cluster.database)


def loaded(server: Server, organization: Organization) -> Load:
    """A mixed load of 12 clients, without a worker."""
    return Load(server.base, organization.keys["write"], has_pushes=False)


def readiness(server: Server) -> int:
    """The status of /readyz."""
    return httpx.get(server.base + "/readyz", verify=False, timeout=30).status_code


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Waits until it is true. Fails after a time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def kill_one(backends: list[int]) -> bool:
    """Kills one of the sessions. They may all have just ended."""
    random.shuffle(backends)
    for pid in backends:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def test_no_request_hangs_while_sessions_are_killed(cluster: Cluster, server: Server, acme: Organization) -> None:
    load = loaded(server, acme)
    with load.running():
        for _ in range(8):
            time.sleep(0.1)
            for pid in cluster.backends():
                cluster.database.sql("select pg_terminate_backend(%s)", pid)
        # PostgreSQL then sends a warning to all other sessions, ends them, and starts again.
        wait_until(lambda: kill_one(cluster.backends()))
        wait_until(lambda: load.statuses[201] and readiness(server) == 200)
        before = load.statuses[201]
        wait_until(lambda: load.statuses[201] > before)
    assert load.longest() < LONGEST
    assert set(load.statuses) <= {200, 201, 503}


def test_no_request_hangs_when_the_postmaster_is_killed(cluster: Cluster, server: Server, acme: Organization) -> None:
    load = loaded(server, acme)
    with load.running():
        time.sleep(0.3)
        cluster.stop(signal.SIGKILL)
        wait_until(lambda: readiness(server) == 503)
        time.sleep(0.5)
        cluster.start()
        wait_until(lambda: readiness(server) == 200)
        before = load.statuses[201]
        wait_until(lambda: load.statuses[201] > before)
    assert load.longest() < LONGEST
    assert set(load.statuses) <= {200, 201, 503}
    warnings = [line for line in server.lines() if "accepts no connection" in line.get("message", "")]
    assert 1 <= len(warnings) < 10


def test_on_a_standby_a_write_is_503_and_the_next_primary_is_found(
    cluster: Cluster, server: Server, acme: Organization
) -> None:
    cluster.stop(signal.SIGINT)
    (cluster.folder / "standby.signal").touch()
    os.chown(cluster.folder / "standby.signal", cluster.folder.stat().st_uid, -1)
    cluster.start()
    wait_until(lambda: readiness(server) == 200)
    with server.client(acme.keys["write"]) as client:
        assert client.get("/leads?limit=1").status_code == 200
        for _ in range(20):
            problem = check_problem(client.post("/leads", json={"email": "a@example.com"}), 503, "unavailable")
            assert "Nothing was done" in problem["detail"]
        assert {line["sqlstate"] for line in server.lines() if line.get("sqlstate")} >= {"25006"}
        cluster.database.sql("select pg_promote()")
        wait_until(lambda: client.post("/leads", json={"email": "a@example.com"}).status_code == 201)
