"""HAProxy, with the configuration of ``leads cells router-config``."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.process import free_port

BIND = "127.0.0.1:PORT"
"""Where the router listens in a configuration for ``running``, which chooses the port."""


def program() -> str | None:
    """The installed HAProxy."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


def missing() -> str | None:
    """What is not installed."""
    return None if program() else "There is no HAProxy. Debian: apt-get install haproxy"


needs_router = pytest.mark.skipif(missing() is not None, reason=missing() or "")


@dataclass(frozen=True)
class Router:
    """A running HAProxy."""

    process: subprocess.Popen[bytes]
    base: str
    log: Path

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        """An HTTP client for the API behind the router, with the key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.base + "/api/v1", headers=headers, timeout=60, verify=False, **options)


@contextmanager
def running(config: str, folder: Path) -> Iterator[Router]:
    """Runs HAProxy with the configuration, in which BIND is where it listens."""
    path = program()
    assert path is not None
    assert BIND in config, config
    port = free_port()
    file, log = folder / "haproxy.cfg", folder / "haproxy.log"
    file.write_text(config.replace(BIND, f"127.0.0.1:{port}") + "\n")
    with log.open("wb") as output:
        # In the foreground: it ends with this process's signal.
        process = subprocess.Popen([path, "-db", "-f", str(file)], stdout=output, stderr=subprocess.STDOUT)
    try:
        base = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 60
        while not _answers(base):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield Router(process, base, log)
    finally:
        process.terminate()
        process.wait(120)


def _answers(base: str) -> bool:
    try:
        httpx.get(base + "/livez", verify=False, timeout=5)
    except httpx.TransportError:
        return False
    return True
