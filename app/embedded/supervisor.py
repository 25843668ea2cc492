"""A thread that starts the server again when it has ended, and rotates its log."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app import log
from app.embedded import log_file, process
from app.embedded.errors import EmbeddedError

LOOK = 0.1
"""Seconds between two looks at the server."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts to start the server. They double from the first to the longest."""

ATTEMPTS = 10
"""Failed attempts in a row after which this process ends: about a minute."""


@contextmanager
def supervised(data_dir: Path, restart: Callable[[], None]) -> Iterator[None]:
    """Call `restart` whenever the server of `data_dir` ends in the block, and log the reason.

    After ATTEMPTS failures in a row this process gets SIGTERM, and the end of the block raises
    EmbeddedError.
    """
    supervisor = _Supervisor(data_dir, restart)
    thread = threading.Thread(target=supervisor.run, name="embedded-postgres")
    thread.start()
    try:
        yield
    finally:
        supervisor.stopping.set()
        thread.join()
        if supervisor.failure:
            raise EmbeddedError(supervisor.failure)


class _Supervisor:
    def __init__(self, data_dir: Path, restart: Callable[[], None]) -> None:
        self.data_dir, self.restart = data_dir, restart
        self.stopping = threading.Event()
        self.failure = ""

    def run(self) -> None:
        """Looks at the server until the block ends. No error may end this thread before."""
        pid: int | None = None
        failures, pause, is_unknown = 0, 0.0, False
        while not self.stopping.wait(pause):
            try:
                current = process.running_pid(self.data_dir)
            except OSError as error:
                # For example, this process has opened all files that it may open.
                if not is_unknown:
                    log.write("error", message=f"Whether PostgreSQL runs can't be read. {error}")
                pause, is_unknown = LOOK, True
                continue
            is_unknown = False
            if current:
                log_file.rotate(self.data_dir)
                pid, failures, pause = current, 0, LOOK
                continue
            try:
                if not failures:
                    reason = process.why_ended(self.data_dir, pid)
                    log.write("error", message=f"PostgreSQL has ended and is started again. {reason}")
                self.restart()
                log.write("warning", message="PostgreSQL is running again.")
                pid, failures, pause = process.running_pid(self.data_dir), 0, LOOK
            except Exception as error:
                failures += 1
                if failures >= ATTEMPTS:
                    self._give_up(f"PostgreSQL has ended, and {failures} attempts to start it failed. {error}")
                    return
                log.write("error", message=str(error), attempt=failures)
                pause = min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)

    def _give_up(self, reason: str) -> None:
        log.write("error", message=reason)
        self.failure = reason
        os.kill(os.getpid(), signal.SIGTERM)
