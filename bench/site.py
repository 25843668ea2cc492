"""``leads serve`` with a PostgreSQL of its own and a worker, as a process that is started again when
it ends. The commands that test faults use it.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from app.embedded import process as embedded_process
from app.settings import ROOT
from bench.figures import BenchmarkError
from tests.support import pushing, simulator
from tests.support.database import Database, Organization
from tests.support.process import free_port

RESTART = 0.5
"""Seconds after which ``leads serve`` is started again."""
START = 90.0
"""Seconds that a start may take."""
_ADDRESSES = ("DATABASE_URL", "LEADS_MIGRATE_URL", "LEADS_OPERATOR_URL", "LEADS_WORKER_URL")


class Site:
    """``leads serve`` with its PostgreSQL and worker. It is started again when it ends."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.data, self.log = folder / "data", folder / "log"
        self._port = free_port()
        self.base = f"http://127.0.0.1:{self._port}"
        self._environ = {name: value for name, value in os.environ.items() if name not in _ADDRESSES}
        self._environ |= {"LEADS_DATA_DIR": str(self.data), **pushing.ENVIRON, **environ}
        self.downs: list[tuple[float, float]] = []
        """When its process ended, and when the next one gave its first answer."""
        self._is_over = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "app", "serve", "--port", str(self._port), "--workers", "1"]
        with self.log.open("ab") as output:
            return subprocess.Popen(command, cwd=ROOT, env=self._environ, stdout=output, stderr=output)

    def _keep(self) -> None:
        while True:
            self._process.wait()
            ended = time.monotonic()
            while self._process.poll() is not None or self._status() is None:
                if self._is_over.wait(0.05 if self._process.poll() is None else RESTART):
                    return
                if self._process.poll() is not None:
                    self._process = self._start()
            self.downs.append((ended, time.monotonic()))

    def _status(self) -> int | None:
        try:
            return httpx.get(self.base + "/readyz", trust_env=False, timeout=10).status_code
        except httpx.TransportError:
            return None

    def wait(self) -> Database:
        """Waits until it is ready, and returns its database. Raises BenchmarkError."""
        end = time.monotonic() + START
        while time.monotonic() < end:
            if self._status() == 200 and (server := embedded_process.join(self.data, None)):
                return Database(server, "leads")
            time.sleep(0.05)
        raise BenchmarkError(f"The server did not start: {self.log.read_text(errors='replace')[-1000:].strip()}")

    @property
    def pid(self) -> int:
        """The process of ``leads serve``."""
        return self._process.pid

    def postmaster(self) -> int:
        """The process of PostgreSQL."""
        return int((self.data / "postgres" / "postmaster.pid").read_text().split()[0])

    def kill_serve(self) -> None:
        """Kills ``leads serve``. PostgreSQL goes on."""
        self._process.kill()

    def kill_postmaster(self) -> None:
        """Kills the postmaster. Its backends end soon afterwards."""
        os.kill(self.postmaster(), signal.SIGKILL)

    def kill_both(self) -> None:
        """Kills the postmaster and ``leads serve``."""
        self.kill_postmaster()
        self.kill_serve()

    def kill_backend(self) -> None:
        """Kills a backend of the server or the worker. PostgreSQL then ends all and recovers."""
        statement = "select pid from pg_stat_activity where usename in ('leads_api', 'leads_worker')"
        rows = self.wait().sql(statement)
        os.kill(random.choice(rows)["pid"], signal.SIGKILL)

    def stop(self) -> None:
        """Stops both."""
        self._is_over.set()
        self._process.terminate()
        self._thread.join()
        with suppress(FileNotFoundError, ProcessLookupError):
            embedded_process.stop(self.data)  # if serve had no time to do so


@contextmanager
def running(folder: Path | None = None, **environ: str) -> Iterator[tuple[Site, Database]]:
    """Runs ``leads serve`` during the block, with these variables.

    folder: for its data and its log; without it, a temporary one. Raises BenchmarkError.
    """
    with tempfile.TemporaryDirectory(prefix="leads-site-") as name:
        folder = folder or Path(name)
        folder.chmod(0o755)
        site = Site(folder, **environ)
        try:
            database = site.wait()
            if database.sql("select current_setting('fsync') as fsync") != [{"fsync": "on"}]:
                raise BenchmarkError("fsync is off.")
            yield site, database
        finally:
            site.stop()


def connected(database: Database, vendor: simulator.Simulator, name: str) -> Organization:
    """Creates an organization whose leads are pushed to the simulated CRM."""
    organization = pushing.live_organization(database, name)
    pushing.connect(database, organization, vendor, settle_seconds=1)
    return organization
