"""Runs servers in the background: ``leads serve`` with one server process, on the measured database
or with an embedded one, and the peers.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.settings import ROOT
from bench.figures import BenchmarkError

PYTHON = sys.executable
ADDRESSES = ("DATABASE_URL", "LEADS_MIGRATE_URL", "LEADS_OPERATOR_URL", "LEADS_WORKER_URL")
_PATIENCE = 120.0
"""Seconds that a start may take. The first start creates the database."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    base: str
    pid: int
    start: float
    """Seconds from the command to the first answer."""


def running(log: Path, **environment: str) -> AbstractContextManager[Server]:
    """Runs ``leads serve`` of this commit during the block, and logs to the file.
    Raises BenchmarkError.
    """
    return started(serve_command(PYTHON), environment, log, _is_ready)


def serve_command(python: str) -> Callable[[int], list[str]]:
    """Returns the command of ``leads serve`` for a port."""
    return lambda port: [python, "-m", "app", "serve", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]


@contextmanager
def started(
    command: Callable[[int], Sequence[str]],
    environment: Mapping[str, str],
    log: Path,
    is_ready: Callable[[str], bool],
    folder: Path = ROOT,
) -> Iterator[Server]:
    """Runs a server during the block, and logs to the file. Raises BenchmarkError.

    command: the command for a port of 127.0.0.1. is_ready: whether the server at this address answers.
    folder: the working directory.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    environ = {**{name: value for name, value in os.environ.items() if name not in ADDRESSES}, **environment}
    start = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(command(port), cwd=folder, env=environ, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not is_ready(base):
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


def _is_ready(base: str) -> bool:
    try:
        return httpx.get(base + "/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
