"""Fixtures: a PostgreSQL that the tests start, and a database per module,
copied from one migrated template.
"""

import fcntl
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import filelock
import httpx
import psycopg
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from app import embedded
from app.cli import migrate
from app.settings import ROOT
from tests.support import entrances, excluded
from tests.support.cells import Cells, cells_behind_router
from tests.support.database import Database, Organization, announce_worker_key, create_database, make_organization
from tests.support.entrances import ENTRANCE, Entrances
from tests.support.process import Leads, Server, leads_on
from tools import pgtap

# A busy machine may take longer than 5 seconds to answer, httpx's own limit for each part of a request.
for _part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _part, 60)

_TEMPLATE = "leads_template"
_names = (f"t{os.getpid()}_{number}" for number in itertools.count())


_LONG = (
    "tests/reference/test_openapi_proof.py",
    "tests/isolation/test_pins.py",
    "tests/crm/test_once.py",
    "tests/cells/test_move.py",
    "tests/reference/test_page.py",
    "tests/crm/test_torture.py",
    "tests/analysts/test_bi.py",
    "tests/attacks/test_attack.py",
    "tests/cli/test_cli.py",
    "tests/cli/test_doctor.py",
    "tests/cli/test_import.py",
    "tests/setup/test_extending.py",
    "tests/setup/test_embedded.py",
    "tests/crm/test_cli.py",
    "tests/api/test_crash.py",
)
"""The files that take 40 seconds and more. They run first, so that none runs alone at the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the long files first. With an entrance to cells, keeps the tests that start an API server."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))
    if ENTRANCE:
        others = [item for item in items if "new_server" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
        for item in items:
            if reason := entrances.missing() or excluded.reason(ENTRANCE, item.nodeid):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_xdist_auto_num_workers() -> int:
    """The processes of -n auto: two for each processor, because the tests wait for almost half of
    their time.
    """
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """A folder that all workers of pytest-xdist share,
    and that other users of the machine can enter.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
    path = Path(tempfile.gettempdir()) / f"leads-{os.getuid()}-{run[:12]}"
    path.mkdir(exist_ok=True)
    users = Path(f"{path}.users")
    with users.open("w") as own:
        fcntl.flock(own, fcntl.LOCK_SH)
        yield path
        with filelock.FileLock(f"{path}.lock"), suppress(BlockingIOError):
            # Another worker may still have a server of its own in the folder.
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (path / "postgres" / "postgres" / "postmaster.pid").exists():
                shutil.rmtree(path, ignore_errors=True)
                users.unlink()
                Path(f"{path}.lock").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def cluster(run_dir: Path) -> Iterator[embedded.Server]:
    """The server, with a template database that a login without superuser rights has migrated."""
    # The machine may stand still for seconds.
    # Queries of several tests may have parallel workers at the same time. Without one, a plan shows other loops.
    options = {
        "fsync": "off",
        "max_connections": "600",
        "authentication_timeout": "60s",
        "max_worker_processes": "32",
        "max_parallel_workers": "32",
    }
    with embedded.running(run_dir / "postgres", options=options) as server:
        with filelock.FileLock(run_dir / "template.lock"):
            if not (run_dir / "template").exists():
                _make_template(server)
                (run_dir / "template").touch()
        yield server


def _make_template(server: embedded.Server) -> None:
    create_database(server, _TEMPLATE)
    migrate.apply(server.url("leads_migrator", _TEMPLATE))
    announce_worker_key(server.url("leads_worker", _TEMPLATE))


@pytest.fixture(scope="session")
def new_database(cluster: embedded.Server) -> Callable[..., Database]:
    """Creates databases: copies of the template, or, with ``template=None``, empty ones."""

    def make(template: str | None = _TEMPLATE) -> Database:
        return create_database(cluster, next(_names), template)

    return make


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A migrated database for the module."""
    return new_database()


@pytest.fixture(scope="module")
def new_organization(database: Database) -> Callable[..., Organization]:
    """Creates organizations in the module's database, each with a key of each scope."""
    return lambda **options: make_organization(database, **options)


@pytest.fixture(scope="module")
def acme(new_organization: Callable[..., Organization]) -> Organization:
    """The organization whose keys are used."""
    return new_organization()


@pytest.fixture(scope="module")
def leads(database: Database) -> Leads:
    """Runs ``leads`` with the addresses of the module's database."""
    return leads_on(database)


@pytest.fixture(scope="session")
def west(new_database: Callable[..., Database]) -> Database:
    """The other cell, if the tests send their requests through an entrance to cells."""
    database = new_database()
    make_organization(database, "West Roofing")
    return database


@pytest.fixture(scope="module")
def new_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Starts server processes on a database, with the Python program if there is one (PATIENT). They are stopped at
    the end of the module, because the connections of all modules together would be too many.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(database: Database, program: str | None = None, **environ: str) -> Server:
        log = tmp_path_factory.mktemp("server") / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *(("-m", "app") if program is None else ("-c", program)), "serve", "--port", "0"],
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": database.url("leads_api"), **environ},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            if base := re.search(r"http://127\.0\.0\.1:[0-9]+", log.read_text()):
                server = Server(process, base[0], log)
                with suppress(httpx.TransportError):
                    if httpx.get(server.base + "/readyz").status_code == 200:
                        return server
            time.sleep(0.05)
        raise AssertionError(f"the server did not start: {log.read_text()}")

    with ExitStack() as opened:
        if ENTRANCE:
            west = request.getfixturevalue("west")
            yield Entrances(start, west, lambda: tmp_path_factory.mktemp("cells"), opened, ENTRANCE).start
        else:
            yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(120)


@pytest.fixture(scope="module")
def cells(
    tmp_path_factory: pytest.TempPathFactory,
    new_database: Callable[..., Database],
    new_server: Callable[..., Server],
) -> Iterator[Cells]:
    """The cells east and west behind a router. Their databases are on one PostgreSQL server."""
    folder: Path = tmp_path_factory.mktemp("cells")
    with cells_behind_router(folder, ["east", "west"], new_database, new_server) as started:
        yield started


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server on the module's database."""
    return new_server(database)


@pytest.fixture(scope="session")
def pgtap_connection(
    request: pytest.FixtureRequest, cluster: embedded.Server, new_database: Callable[..., Database]
) -> Iterator[psycopg.Connection]:
    """The connection for pgtap/: a superuser's, which becomes an actor with SET SESSION
    AUTHORIZATION.
    """
    # pytest-pgtap uses a private class of pytest.
    # Ignore the warning in later tests, and in the one that has started.
    ignored = "ignore:A private pytest class or function was used:pytest.PytestDeprecationWarning"
    request.config.addinivalue_line("filterwarnings", ignored)
    warnings.filterwarnings("ignore", "A private pytest class", pytest.PytestDeprecationWarning)
    database = new_database()
    with psycopg.connect(database.url(), autocommit=True) as connection:
        # The zone is far from UTC, so that code that depends on the session's zone fails.
        connection.execute("set timezone = 'Asia/Tokyo'")
        connection.execute("set jit = off")  # as in all sessions of ours (app/session.py)
        connection.execute("create schema tap; grant usage on schema tap to public; set search_path = tap")
        connection.execute(pgtap.script().encode())
        connection.execute((ROOT / "pgtap" / "actors.sql").read_bytes())
        yield connection


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the number of attacks of tests/attacks/test_attack.py,
    which a worker reports with the test's report.
    """
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "attacks":
                terminalreporter.write_line(f"Attacks: {value}.")
