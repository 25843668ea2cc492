"""A PostgreSQL that the tests start themselves, and a database for each module, copied from one migrated template."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import httpx
import psycopg
import pytest

from app import embedded
from app.settings import ROOT
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Leads, Server, free_port, leads_on
from tools import unreleased

_TEMPLATE = "leads_template"
_names = (f"t{os.getpid()}_{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """A folder that all of pytest-xdist's workers share, and that other users of the machine may pass."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
    path = Path(tempfile.gettempdir()) / f"leads-{os.getuid()}-{run[:12]}"
    path.mkdir(exist_ok=True)
    yield path
    with filelock.FileLock(f"{path}.lock"):
        if not (path / "postgres" / "postgres" / "postmaster.pid").exists():
            shutil.rmtree(path, ignore_errors=True)
            Path(f"{path}.lock").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def cluster(run_dir: Path) -> Iterator[embedded.Server]:
    """The server, with the template migrated by a login that is no superuser."""
    options = {"fsync": "off", "max_connections": "600"}
    with embedded.running(run_dir / "postgres", options=options) as server:
        with filelock.FileLock(run_dir / "template.lock"):
            if not (run_dir / "template").exists():
                _make_template(server)
                (run_dir / "template").touch()
        yield server


def _make_template(server: embedded.Server) -> None:
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"create database {_TEMPLATE} owner leads_migrator")
    embedded.harden(server.url("postgres", _TEMPLATE))
    unreleased.apply(server.url("leads_migrator", _TEMPLATE))


@pytest.fixture(scope="session")
def new_database(cluster: embedded.Server) -> Callable[..., Database]:
    """Makes databases: copies of the template, or with ``template=None`` empty ones."""

    def make(template: str | None = _TEMPLATE) -> Database:
        database = Database(cluster, next(_names))
        copied = f"template {template} strategy file_copy" if template else ""
        with psycopg.connect(cluster.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"create database {database.name} owner leads_migrator {copied}")
        embedded.harden(database.url())
        return database

    return make


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A migrated database of the module's own."""
    return new_database()


@pytest.fixture(scope="module")
def new_organization(database: Database) -> Callable[..., Organization]:
    """Makes organizations in the module's database, each with a key of each scope."""
    return lambda **options: make_organization(database, **options)


@pytest.fixture(scope="module")
def leads(database: Database) -> Leads:
    """Runs ``leads`` with the addresses of the module's database."""
    return leads_on(database)


@pytest.fixture(scope="session")
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts server processes on a database; they end with the session."""
    started: list[subprocess.Popen[bytes]] = []

    def start(database: Database, **environ: str) -> Server:
        log = tmp_path_factory.mktemp("server") / "log"
        port = free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve", "--port", str(port)],
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": database.url("leads_api"), **environ},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        server = Server(process, f"http://127.0.0.1:{port}", log)
        for _ in range(300):
            if process.poll() is not None:
                break
            try:
                if httpx.get(server.base + "/readyz").status_code == 200:
                    return server
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the server didn't come up: {log.read_text()}")

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server on the module's database."""
    return new_server(database)


@pytest.fixture(scope="session")
def pgtap_connection(
    request: pytest.FixtureRequest, cluster: embedded.Server, new_database: Callable[..., Database]
) -> Iterator[psycopg.Connection]:
    """Where pgtap/ runs: a superuser's connection, which becomes each actor by SET SESSION AUTHORIZATION."""
    # pytest-pgtap makes its subtests by a private name of pytest's: from now on, and in the test that has begun.
    ignored = "ignore:A private pytest class or function was used:pytest.PytestDeprecationWarning"
    request.config.addinivalue_line("filterwarnings", ignored)
    warnings.filterwarnings("ignore", "A private pytest class", pytest.PytestDeprecationWarning)
    database = new_database()
    with psycopg.connect(database.url(), autocommit=True) as connection:
        # far from UTC: what depends on the session's zone, or takes it for UTC, shows
        connection.execute("set timezone = 'Asia/Tokyo'")
        connection.execute("create schema tap; grant usage on schema tap to public; set search_path = tap")
        connection.execute((ROOT / "pgtap" / "vendor" / "pgtap--1.3.5.sql").read_bytes())
        connection.execute((ROOT / "pgtap" / "actors.sql").read_bytes())
        yield connection


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests/attacks/test_attack.py has counted: a worker of pytest-xdist's tells it by the test's report."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "attacks":
                terminalreporter.write_line(f"Attacks: {value}.")
