"""Runs ``leads`` commands and servers as processes."""

import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from app import cli
from app.cli.output import plain_errors
from app.settings import ROOT
from tests.support.database import Database, wait_until_announced


def free_port() -> int:
    """Returns a TCP port that is free. It is below those that the system gives to connections and to servers that
    ask for any port, so that no other process gets it before it is used.
    """
    range_of_system = Path("/proc/sys/net/ipv4/ip_local_port_range")
    end = int(range_of_system.read_text().split()[0]) if range_of_system.exists() else 32768
    while True:
        port = random.SystemRandom().randrange(10_000, end) if end > 11_000 else 0
        with suppress(OSError), closing(socket.create_server(("127.0.0.1", port))) as probe:
            return int(probe.getsockname()[1])


def wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until the process accepts connections on the port of 127.0.0.1."""
    end = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)


PATIENT = """
from app import session
from app.server import locks, postgres
session.SERVER["statement_timeout"] = "120000"
locks.LOCK_PATIENCE = postgres.PATIENCE = 120.0
postgres.DEADLINE = 150.0
from app.cli import main
main()
"""
"""``leads serve`` in one process, whose requests wait long for a lock, for a connection and for their statement. So a
test can hold them as long as it needs.
"""


@contextmanager
def sighup_ends() -> Iterator[None]:
    """SIGHUP ends processes that are started in the block, also if the tests run under nohup: a
    signal that is ignored stays ignored in new processes.
    """
    handler = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, handler)


Leads = Callable[..., subprocess.CompletedProcess[str]]


def leads_in(environ: Mapping[str, str]) -> Leads:
    """Returns a function that runs ``leads`` in the environment. Each call can add variables."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            cwd=ROOT,
            env={**environ, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def leads_on(database: Database) -> Leads:
    """Returns a function that runs ``leads`` with the addresses of a database,
    without the worker's.
    """
    addresses = {
        "DATABASE_URL": database.url("leads_api"),
        "LEADS_MIGRATE_URL": database.url("leads_migrator"),
        "LEADS_OPERATOR_URL": database.url("leads_operator"),
    }
    return leads_in({**os.environ, **addresses})


def printed(process: subprocess.CompletedProcess[str]) -> str:
    """Returns the output of a successful command."""
    assert (process.returncode, process.stderr) == (0, ""), process.stderr
    return process.stdout.strip()


def mistake(process: subprocess.CompletedProcess[str]) -> str:
    """Returns the message of a command that reported a mistake."""
    assert process.returncode == 2, (process.returncode, process.stdout, process.stderr)
    assert "Traceback" not in process.stderr
    return process.stderr.strip()


def logged(log: Path) -> list[dict[str, Any]]:
    """Returns the JSON lines of a log. A process may be writing the last line, which is then left out."""
    return [json.loads(line) for line in log.read_text().split("\n")[:-1] if line.startswith("{")]


@dataclass(frozen=True)
class Server:
    """A process of ``leads serve``."""

    process: subprocess.Popen[bytes]
    base: str
    log: Path
    own_base: str | None = None
    """The address of the process itself, if ``base`` is that of an entrance to cells."""
    cell: Database | None = None
    """The database whose new keys the entrance must know before they are used."""

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        """Returns an HTTP client for the API, with the key."""
        if self.cell is not None:
            wait_until_announced(self.cell)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # There is no TLS, and to create an unused context takes 40 ms.
        return httpx.Client(base_url=self.base + "/api/v1", headers=headers, timeout=60, verify=False, **options)

    def lines(self) -> list[dict[str, Any]]:
        """Returns the logged lines. The server buffers lines,
        so this waits for the line of a request of its own.
        """
        mark = uuid.uuid4().hex
        httpx.get((self.own_base or self.base) + "/livez", headers={"X-Request-Id": mark}, verify=False, timeout=60)
        end = time.monotonic() + 60
        while True:
            lines = logged(self.log)
            if any(line.get("request_id") == mark for line in lines):
                return lines
            assert time.monotonic() < end, "the server does not log the request"
            time.sleep(0.02)


def server_processes(server: Server) -> list[int]:
    """The processes of ``leads serve`` that serve; not multiprocessing's own process."""
    parent = server.process.pid
    pids = []
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        # It may have just ended.
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                pids.append(int(pid))
    return pids


def leads_here(database: Database) -> Leads:
    """Returns a function that runs ``leads`` as leads_on does, but in this process, which saves a second."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        output, errors = io.StringIO(), io.StringIO()
        environ = {
            "LEADS_MIGRATE_URL": database.url("leads_migrator"),
            "LEADS_OPERATOR_URL": database.url("leads_operator"),
        }
        code: Any = 0
        with patch.dict(os.environ, environ), redirect_stdout(output), redirect_stderr(errors):
            try:
                with plain_errors():
                    code = cli.leads(list(arguments), standalone_mode=False) or 0
            except SystemExit as end:
                code = end.code
        return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())

    return run
