"""Requests that wait for a lock in the database. They wait here, so that they occupy no connection.

A statement waits for a lock only for LOCK_WAIT, which is the session's lock_timeout. Then it ends
with an error, nothing was done, and the connection serves other requests. The request pauses and
runs its statement again, until it gets the lock or its time is over. All repetitions together
occupy at most a quarter of the connections.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from psycopg.pq.abc import PGresult

from app import session
from app.server.postgres import StatementFailed
from app.server.queue import Client, ClientGone, Unavailable

LOCK_WAIT = int(session.SERVER["lock_timeout"])
"""Milliseconds that a statement waits for a lock."""

LOCK_PATIENCE = 4.5
"""Seconds after the start of a request in which it waits for a lock."""
FIRST_PAUSE = 0.04
"""Seconds. Each pause between two attempts is 1.5 times as long as the last one, and varies."""
LONGEST_PAUSE = 0.25

MEMORY = 1.0
"""Seconds for which a lock that was not free is assumed to be still held."""

Claim = tuple[bytes | None, str, str]
"""The digest of a request's key, its method, and its path without what differs between spellings.
Requests with the same claim probably need the same lock.
"""

Attempt = Callable[[float], Awaitable[PGresult]]
"""Runs a statement. The argument: the seconds that it may wait for a connection."""


def is_locked(error: StatementFailed) -> bool:
    """Whether a lock of another transaction prevented the statement, and nothing was done."""
    # The function of an Idempotency-Key reports by a word that another transaction holds the key.
    return error.sqlstate in ("55P03", "40001", "40P01") or error.message == "idempotency_in_progress"


class LockQueue:
    """The requests that wait for a lock."""

    def __init__(self, connections: int, queue: int) -> None:
        """connections: the size of the pool; queue: the requests that may wait for a connection."""
        self._slots = asyncio.Semaphore(max(1, connections // 4))
        self._limit = connections + queue
        # One key alone must not use up the places of all.
        self._limit_of_key = max(connections, self._limit // 4)
        self._waiting: Counter[bytes | None] = Counter()
        self.held: dict[Claim, float] = {}
        """Claims whose lock was not free, and until when that is assumed. Nearly always empty."""

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a lock."""
        return self._waiting.total()

    def knows(self, claim: Claim) -> bool:
        """Whether a request with this claim had to wait a moment ago, so that the next one should
        wait here from the start.
        """
        return self.held.get(claim, 0.0) > time.perf_counter()

    async def run(
        self, claim: Claim, client: Client, started: float, attempt: Attempt, failure: StatementFailed | None = None
    ) -> PGresult:
        """Makes attempts until one gets the lock. Raises the last error when the time is over.

        started: when the request began (time.perf_counter). failure: the error of the first
        attempt, if there was one. Raises Unavailable if too many requests wait.
        """
        digest = claim[0]
        if failure is not None:
            self._remember(claim)
        if self._waiting[digest] >= self._limit_of_key or self._waiting.total() >= self._limit:
            raise failure or Unavailable
        self._waiting[digest] += 1
        try:
            return await self._run(claim, client, started + LOCK_PATIENCE, attempt, failure)
        finally:
            self._waiting[digest] -= 1
            if not self._waiting[digest]:
                del self._waiting[digest]

    async def _run(
        self, claim: Claim, client: Client, end: float, attempt: Attempt, failure: StatementFailed | None
    ) -> PGresult:
        pause = FIRST_PAUSE
        while True:
            if failure is not None:
                left = end - time.perf_counter()
                if left <= 0:
                    raise failure
                pause = min(pause * 1.5, LONGEST_PAUSE)
                # The last attempt is at the end.
                await asyncio.sleep(min(pause * random.uniform(0.5, 1.0), left))
            try:
                async with asyncio.timeout(end - time.perf_counter()):
                    await self._slots.acquire()
            except TimeoutError:
                raise failure or Unavailable from None
            try:
                if client.is_gone:
                    raise ClientGone
                result = await attempt(end - time.perf_counter())
            except StatementFailed as error:
                if not is_locked(error):
                    raise
                failure = error
                self._remember(claim)
            else:
                self.held.pop(claim, None)
                return result
            finally:
                self._slots.release()

    def _remember(self, claim: Claim) -> None:
        now = time.perf_counter()
        if len(self.held) >= self._limit:
            self.held = {claim: until for claim, until in self.held.items() if until > now}
        self.held[claim] = now + MEMORY
