"""The loop of a queue in the database: it leases the jobs that are due, and runs them.

Between two rounds it sleeps until a job is due or the database notifies the worker. Pushes and
deliveries have a loop each, so that the jobs of one don't take the places of the other.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import UUID

import psycopg

from app import log

if TYPE_CHECKING:
    from app.spans import Spans

POLL = 5.0
"""Seconds after which a loop looks for jobs even without a notification:
for leads that were changed in SQL.
"""

_HELD_BACK = 0.25


class Leased(Protocol):
    """A job that this worker has leased."""

    @property
    def organization_id(self) -> UUID:
        """The organization, for the limit of its jobs that run at once."""


Job = TypeVar("Job", bound=Leased)


class Queue(Protocol[Job]):
    """The functions of the database. They raise psycopg.Error."""

    async def lease(self, batch: int, running: Counter[UUID]) -> list[Job]:
        """Leases up to batch jobs that are due. running: those that this worker runs, by organization."""

    async def seconds_until_due(self) -> float | None:
        """The seconds until the next job is due. Negative: it is due already. None: no job waits."""


class LeaseLost(Exception):
    """Another worker has the lease now, or the lease was returned.
    This worker must do nothing more for the job.
    """


class Leasing(Generic[Job]):
    """Runs the jobs of a queue, a limited number at once."""

    def __init__(
        self,
        queue: Queue[Job],
        work: Callable[[Job], Coroutine[Any, Any, None]],
        *,
        at_once: int,
        show: Callable[[int], None],
    ) -> None:
        """work: it must not raise. show: called with the number of jobs that run."""
        self._queue = queue
        self._work = work
        self._at_once = at_once
        self._show = show
        self._awake = asyncio.Event()
        self._stopping = False
        self._running: dict[asyncio.Task[None], UUID] = {}
        """The organization of each job that runs."""

    def wake(self) -> None:
        """Looks for jobs now. Not thread-safe."""
        self._awake.set()

    def stop(self) -> None:
        """Leases nothing more. Not thread-safe."""
        self._stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Leases and runs jobs until stop(). Jobs that run then are not waited for."""
        while not self._stopping:
            try:
                pause = await self._lease()
            except psycopg.Error as error:
                log.write("warning", message=f"The outbox can't be read for now: {type(error).__name__}.")
                pause = 1.0
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._awake.wait()
            self._awake.clear()

    async def finish(self) -> None:
        """Waits for the jobs that run."""
        await asyncio.gather(*self._running)

    async def _lease(self) -> float:
        """Starts jobs that are due, while there is room. Returns the seconds until there is more to do."""
        room = self._at_once - len(self._running)
        if not room:
            return POLL
        jobs = await self._queue.lease(room, Counter(self._running.values()))
        for job in jobs:
            task = asyncio.create_task(self._work(job))
            self._running[task] = job.organization_id
            task.add_done_callback(self._done)
            self._show(len(self._running))
        if jobs:
            # There may be more, which the next round finds. A job that ends wakes the loop sooner.
            return _HELD_BACK
        due = await self._queue.seconds_until_due()
        # A job that is due and wasn't leased is held back for a short time.
        return POLL if due is None else min(max(due, _HELD_BACK if self._running else 0.05), POLL)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._show(len(self._running))
        self._awake.set()


async def settled(settle: Callable[[], Awaitable[str | None]]) -> str | None:
    """Reports an outcome, and tries for as long as the lease may last: a lock must not cost an attempt."""
    for pause in (0.2, 0.5, 1.0, 2.0, 4.0):
        try:
            return await settle()
        except psycopg.OperationalError:
            await asyncio.sleep(pause)
    return await settle()


def report(
    spans: "Spans | None",
    name: str,
    started: int,
    trace_id: str | None,
    members: Mapping[str, Any],
    attributes: Mapping[str, object],
) -> None:
    """Writes the line and the span of an attempt. started: nanoseconds since 1970."""
    ended = time.time_ns()
    trace = {"trace_id": trace_id} if trace_id else {}
    log.write("info", **members, ms=round((ended - started) / 1e6), **trace)
    if spans is not None:
        told = {f"leads.{name}": value if isinstance(value, int) else str(value) for name, value in attributes.items()}
        spans.add_root(name, trace_id, started, ended, told)
