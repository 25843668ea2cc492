"""The end of ``leads serve`` and of its processes.

SIGTERM: the load balancer learns of it first, and each request that still runs gets our answer.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import ROOT
from tests.api.test_metrics import scrape, url_in, value
from tests.support.contract import check_problem
from tests.support.database import Database, Organization
from tests.support.process import PATIENT, Server, server_processes, sighup_ends
from tests.support.routes import SLOW

# The command, with less time for the requests that run.
SERVE = (
    "import sys; from app.cli import main, serve; serve.GRACE = 1; sys.argv = ['leads', 'serve', *sys.argv[1:]]; main()"
)
PATIENT_SERVE = f"import sys; from app.cli import serve; serve.GRACE = 1; sys.argv.insert(1, 'serve')\n{PATIENT}"


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A database with slow routes."""
    database = new_database()
    database.sql(SLOW)
    return database


@pytest.fixture
def start(database: Database, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers that have a second for the requests that run."""
    processes = []

    def run(program: str = SERVE, *, is_ready: bool = True, **environ: str) -> Server:
        log = tmp_path / "log"
        with log.open("wb") as output, sighup_ends():
            process = subprocess.Popen(
                [sys.executable, "-c", program, "--port", "0"],
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": database.url("leads_api"), **environ},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        if not is_ready:
            return Server(process, "", log)
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            if base := re.search(r"http://127\.0\.0\.1:[0-9]+", log.read_text()):
                with suppress(httpx.TransportError):
                    if httpx.get(base[0] + "/readyz", verify=False).status_code == 200:
                        return Server(process, base[0], log)
            time.sleep(0.05)
        raise AssertionError(log.read_text())

    yield run
    for process in processes:
        process.kill()
        process.wait()


# The command, with server processes that fail before they serve.
FAILING = f"""
import functools, uvicorn
uvicorn.Config = functools.partial(lambda config, _, **options: config("{__name__}:failing", **options), uvicorn.Config)
{SERVE}
"""


def failing() -> ASGIApp:
    """An application that does not start."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.failed", "message": "on purpose"})

    return application


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def wait_until_complete(server: Server, database: Database, workers: str) -> None:
    """Waits until all server processes run, and not only the one that has answered. At the end of its start, each
    listens for changes of the routes.
    """
    listening = "select 1 from pg_stat_activity where datname = %s and query = 'listen leads_routes'"
    wait_for(lambda: len(database.sql(listening, database.name)) == int(workers))
    assert len(server_processes(server)) == (int(workers) if workers != "1" else 0)


def wait_until_all_know(server: Server) -> None:
    """Waits until all server processes have got the signal that begins the end. Which one answers is left to the
    system, and each has a new connection.
    """
    url = server.base + "/readyz"
    wait_for(lambda: all(httpx.get(url, verify=False).status_code == 503 for _ in range(20)))


def connections(database: Database) -> int:
    return len(
        database.sql("select 1 from pg_stat_activity where datname = %s and usename = 'leads_api'", database.name)
    )


def busy(database: Database) -> int:
    rows = database.sql("select 1 from pg_stat_activity where datname = %s and wait_event = 'PgSleep'", database.name)
    return len(rows)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_readyz_is_503_from_the_signal_on_and_requests_go_on(
    start: Callable[..., Server], database: Database, acme: Organization, end: signal.Signals, workers: str
) -> None:
    server = start(LEADS_DRAIN_SECONDS="300", WORKERS=workers)
    wait_until_complete(server, database, workers)
    with server.client(acme.keys["read"]) as client:
        client.get("/health")
        if end == signal.SIGHUP:
            # As a terminal does, to all processes.
            for pid in server_processes(server):
                os.kill(pid, end)
        server.process.send_signal(end)
        wait_until_all_know(server)
        # With a new connection and with an old one.
        assert httpx.get(server.base + "/readyz", verify=False).json() == {"status": "unavailable"}
        with server.client(acme.keys["read"]) as other:
            assert other.get("/health").status_code == 200
        answer = client.get("/health")
        assert (answer.status_code, answer.headers.get("connection")) == (200, None)
    # A second signal ends the drain time.
    server.process.terminate()
    assert server.process.wait(60) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_drain_time(
    start: Callable[..., Server], database: Database, workers: str, second: signal.Signals
) -> None:
    server = start(LEADS_DRAIN_SECONDS="300", WORKERS=workers)
    wait_until_complete(server, database, workers)
    server.process.send_signal(signal.SIGTERM)
    wait_until_all_know(server)
    server.process.send_signal(signal.SIGWINCH)
    time.sleep(0.5)
    assert server.process.poll() is None
    server.process.send_signal(second)
    assert server.process.wait(60) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nohup_ignores_the_end_of_the_terminal(start: Callable[..., Server], database: Database, workers: str) -> None:
    server = start(
        f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {SERVE}",
        WORKERS=workers,
        LEADS_DRAIN_SECONDS="1",
    )
    wait_until_complete(server, database, workers)
    processes = server_processes(server)
    for pid in (server.process.pid, *processes):
        os.kill(pid, signal.SIGHUP)
    time.sleep(1)
    assert server.process.poll() is None
    assert server_processes(server) == processes
    server.process.terminate()
    assert server.process.wait(60) == 0


def test_requests_that_hang_at_the_end_get_our_503(
    start: Callable[..., Server], database: Database, acme: Organization
) -> None:
    server = start(PATIENT_SERVE, LEADS_CONNECTIONS="2", LEADS_METRICS="127.0.0.1:0")
    metrics = url_in(server.log)
    with server.client(acme.keys["write"]) as client, ThreadPoolExecutor(3) as threads:
        read = threads.submit(client.get, "/sleep?seconds=100")
        write = threads.submit(client.post, "/slow-write?seconds=100")
        wait_for(lambda: busy(database) == 2)
        waiting = threads.submit(client.post, "/slow-write?seconds=100")
        wait_for(lambda: value(scrape(metrics), "leads_pool_waiting_requests", reason="connection") == 1)
        server.process.send_signal(signal.SIGTERM)
        for answer, code in ((read, "unavailable"), (write, "outcome_unknown"), (waiting, "unavailable")):
            problem = check_problem(answer.result(), 503, code)
            assert "The server" in problem["detail"]
            assert ("Nothing was done" in problem["detail"]) is (code == "unavailable")
            assert answer.result().headers["connection"] == "close"
    assert server.process.wait(60) == 0
    # PostgreSQL does not notice that their client has gone.
    database.sql(
        "select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = %s and wait_event = 'PgSleep'",
        database.name,
    )
    lines = server.log.read_text()
    assert lines.count('"status":503') == 3
    assert "Traceback" not in lines


@pytest.mark.parametrize("limit", [12, 9])
def test_a_server_process_that_cannot_connect_does_not_stop_the_others(
    start: Callable[..., Server], database: Database, acme: Organization, limit: int
) -> None:
    server = start(WORKERS="2")
    wait_for(lambda: connections(database) == 18)
    killed, other = server_processes(server)
    database.sql(f"alter database {database.name} connection limit {limit}")
    try:
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: "too many connections" in server.log.read_text())
        assert server.process.poll() is None
        with server.client(acme.keys["read"]) as client:
            assert client.get("/health").status_code == 200
    finally:
        database.sql(f"alter database {database.name} connection limit -1")
    wait_for(lambda: connections(database) == 18)
    assert other in server_processes(server)
    assert len(server_processes(server)) == 2
    assert "Traceback" not in server.log.read_text()
    server.process.terminate()
    assert server.process.wait(60) == 0


def test_server_processes_that_cannot_start_end_the_command_with_an_error(start: Callable[..., Server]) -> None:
    server = start(FAILING, is_ready=False, WORKERS="2")
    assert server.process.wait(60) == 3


def test_server_processes_end_when_their_parent_is_killed(start: Callable[..., Server], database: Database) -> None:
    server = start(WORKERS="2", LEADS_DRAIN_SECONDS="300")
    wait_until_complete(server, database, "2")
    processes = server_processes(server)
    server.process.kill()
    server.process.wait()
    try:
        # The port is free.
        wait_for(lambda: not is_served(server))
        wait_for(lambda: not any(is_running(pid) for pid in processes))
    finally:
        for pid in filter(is_running, processes):
            os.kill(pid, signal.SIGKILL)
    assert "Traceback" not in server.log.read_text()


def is_served(server: Server) -> bool:
    try:
        return httpx.get(server.base + "/livez", verify=False).is_success
    except httpx.TransportError:
        return False


def is_running(pid: int) -> bool:
    """Whether the process runs. One that has ended may be kept for a parent that doesn't ask."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
