"""The rounds of a task that works for one organization after another, such as the sealer.

An error about one organization doesn't hold up the others. The organization is left out for a time,
which doubles with each failure in a row, and is then tried again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import psycopg

from app import log
from app.worker.totals import Totals

PAUSE = 1.0
"""Seconds between two rounds, if nothing is left to do.
For that long an event can be changed without a seal that shows it.
"""

BATCH = 1000
"""Events or leads of one call, and organizations of one look into the queue."""

FIRST_WAIT = 1.0
"""Seconds for which an organization is left out after its first failure."""

LONGEST_WAIT = 300.0

_ABOUT_THE_SERVER = {
    "25006",  # read_only_sql_transaction: the server is a standby
    "53100",  # disk_full
    "53300",  # too_many_connections
}


@dataclass(frozen=True)
class _Failure:
    wait: float
    """Seconds."""
    until: float
    """The time of the event loop."""


class Rounds:
    """The rounds of one task."""

    def __init__(
        self,
        task: str,
        organizations: Callable[[str, UUID | None, int], Awaitable[list[UUID]]],
        work: Callable[[UUID, int], Awaitable[int | None]],
        totals: Totals,
    ) -> None:
        """organizations: the next ones for which the task has something to do.
        work: works for one of them, and returns how much was done; None: another worker has it.
        """
        self._task = task
        self._organizations = organizations
        self._work = work
        self._totals = totals
        self._failures: dict[UUID, _Failure] = {}

    async def run(self) -> None:
        """Goes round forever. Raises psycopg.Error if no organization can be served."""
        while True:
            has_more = await self._go_round()
            self._totals.rounds[self._task] = time.time()
            if not has_more:
                await asyncio.sleep(PAUSE)

    async def _go_round(self) -> bool:
        """Works for each organization once. Returns whether one of them has more to do."""
        has_more = False
        queued: set[UUID] = set()
        after: UUID | None = None
        is_last = False
        while not is_last:
            page = await self._organizations(self._task, after, BATCH)
            for organization_id in page:
                has_more |= await self._serve(organization_id) == BATCH
            queued.update(page)
            after, is_last = page[-1] if page else None, len(page) < BATCH
        # For the others nothing is left to do: another worker has done it, or the organization was erased.
        self._failures = {id: failure for id, failure in self._failures.items() if id in queued}
        self._totals.failing[self._task] = len(self._failures)
        return has_more

    async def _serve(self, organization_id: UUID) -> int | None:
        now = asyncio.get_running_loop().time()
        failure = self._failures.get(organization_id)
        if failure and now < failure.until:
            return None
        try:
            done = await self._work(organization_id, BATCH)
        except psycopg.Error as error:
            if is_about_the_server(error):
                raise
            wait = min(failure.wait * 2, LONGEST_WAIT) if failure else FIRST_WAIT
            self._failures[organization_id] = _Failure(wait, asyncio.get_running_loop().time() + wait)
            self._totals.failing[self._task] = len(self._failures)
            # Without the error's message, which may contain values.
            log.write(
                "warning",
                message=f"The task {self._task!r} leaves out an organization for {wait:g} s ({type(error).__name__}).",
                organization_id=organization_id,
                sqlstate=error.sqlstate,
            )
            return None
        if failure and done is not None:
            del self._failures[organization_id]
            log.write(
                "info",
                message=f"The task {self._task!r} serves an organization again.",
                organization_id=organization_id,
            )
        return done


def is_about_the_server(error: psycopg.Error) -> bool:
    """Whether another organization would meet the same error: the connection is lost, or the server can't write."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate[:2] == "08" or error.sqlstate[:3] == "57P" or error.sqlstate in _ABOUT_THE_SERVER
