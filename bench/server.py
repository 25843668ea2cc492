"""Runs ``leads serve`` with one server process, on the measured database or with an embedded
one.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.settings import ROOT
from bench.figures import BenchmarkError

_ADDRESSES = ("DATABASE_URL", "LEADS_MIGRATE_URL", "LEADS_OPERATOR_URL", "LEADS_WORKER_URL")
_PATIENCE = 120.0
"""Seconds that a start may take. The first start creates the database."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    base: str
    pid: int
    start: float
    """Seconds from the command to the first answer."""


@contextmanager
def running(log: Path, **environment: str) -> Iterator[Server]:
    """Runs the server during the block, and logs to the file. Raises BenchmarkError."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    environ = {name: value for name, value in os.environ.items() if name not in _ADDRESSES} | environment
    command = [sys.executable, "-m", "app", "serve", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    start = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not _is_ready(base):
            if process.poll() is not None or time.monotonic() - start > _PATIENCE:
                raise BenchmarkError(f"The server did not start: {log.read_text(errors='replace')[-500:].strip()}")
            time.sleep(0.01)
        yield Server(base, process.pid, time.monotonic() - start)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def second_starts(folder: Path, times: int) -> list[float]:
    """Returns the seconds of several starts with an embedded PostgreSQL whose data already
    exists.
    """
    environment = {"LEADS_DATA_DIR": str(folder / "start")}
    starts = []
    for _ in range(1 + times):
        with running(folder / "start.log", **environment) as server:
            starts.append(server.start)
    return starts[1:]


def reference(base: str, times: int) -> list[float]:
    """Returns the seconds of several responses with the whole of /openapi.json,
    over one connection.
    """
    durations = []
    with httpx.Client(base_url=base, trust_env=False) as client:
        for _ in range(times):
            start = time.perf_counter()
            client.get("/openapi.json").raise_for_status()
            durations.append(time.perf_counter() - start)
    return durations


def _is_ready(base: str) -> bool:
    try:
        return httpx.get(base + "/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
