"""Background tasks: work that goes on until the program ends.

A task that fails is logged and started again, after a pause that grows with each failure in a row.
"""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg

from app import log

FIRST_PAUSE = 1.0
"""Seconds before a task starts again after its first failure.
Each further failure doubles the pause.
"""
LONGEST_PAUSE = 5.0
STEADY = 10.0
"""Seconds after which a task that was started again counts as healthy,
and its next failure as the first.
"""


class GivenUp(Exception):
    """A task has failed too many times in a row."""


class Background:
    """Runs tasks, and knows which of them fail."""

    def __init__(self, *, attempts: int | None = None) -> None:
        """attempts: the failures in a row after which a task is not started again; None:
        it always is.
        """
        self._attempts = attempts
        self._steady_at: dict[str, float] = {}

    def failing(self) -> list[str]:
        """The names of the tasks that have failed and haven't run for STEADY seconds since."""
        now = asyncio.get_running_loop().time()
        return [name for name, steady_at in self._steady_at.items() if now < steady_at]

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs ``work`` until it returns, and starts it again if it raises an exception.
        Raises GivenUp.

        A database error is logged as a warning and does not count as a failure of the task.
        """
        loop = asyncio.get_running_loop()
        failures = 0
        pause = FIRST_PAUSE
        while True:
            started = loop.time()
            try:
                await work()
                return
            except Exception as error:
                if loop.time() - started > STEADY:
                    failures, pause = 0, FIRST_PAUSE
                if isinstance(error, psycopg.Error):
                    kind = f"{type(error).__name__}, {error.sqlstate or 'no SQLSTATE'}"
                    log.write("warning", message=f"The task {name!r} waits for the database ({kind}).")
                else:
                    failures += 1
                    log.failure(f"The task {name!r} failed.", error)
                    if failures == self._attempts:
                        raise GivenUp(f"The task {name!r} failed {failures} times in a row.") from error
                    self._steady_at[name] = loop.time() + pause + STEADY
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
