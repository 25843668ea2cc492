"""When each key was last used. A request only notes it in the memory of its process. Once a minute, and
when the server stops, the process tells the database. A process that is killed loses its last minute.
"""

import asyncio
import itertools
import random
import time

from app import log
from app.server.locks import is_locked
from app.server.postgres import ConnectionLost, Pool, Statement, StatementFailed
from app.server.queue import Unavailable
from app.server.values import array

PERIOD = 60.0
"""Seconds between two reports to the database."""
BATCH = 500
"""Keys of one statement."""
LAST_PATIENCE = 2.0
"""Seconds that the report may take when the server stops."""

_RECORD = Statement(b"record_key_uses", b"select auth.record_key_uses($1, $2)", function="auth.record_key_uses")
_CALLER = b"key uses"
"""Who occupies the place on a connection. No key has such a digest."""


class KeyUses:
    """The last uses that the database does not know yet."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.started: dict[bytes, float] = {}
        """When the last request with a key began (time.perf_counter), by the digest of the key. It has
        only keys that the database has accepted, so nobody can fill it with others.
        """

    async def report(self) -> None:
        """Tells the database. What it does not take is kept until the next time."""
        taken, self.started = self.started, {}
        try:
            while taken:
                batch = list(itertools.islice(taken, BATCH))
                now = time.perf_counter()
                digests = array(digest.decode() for digest in batch).encode()
                seconds_ago = array(f"{now - taken[digest]:.3f}" for digest in batch).encode()
                await self._pool.execute(_RECORD, (digests, seconds_ago), caller=_CALLER)
                for digest in batch:
                    del taken[digest]
        except (Unavailable, ConnectionLost, StatementFailed) as error:
            # Another process may lock the rows, and the database may be a standby.
            if isinstance(error, StatementFailed) and not is_locked(error) and not error.is_of_session:
                log.write("warning", message="The last uses of keys can't be recorded.", sqlstate=error.sqlstate)
        finally:
            self.started = taken | self.started

    async def report_forever(self) -> None:
        """Tells the database every PERIOD. The pauses vary, so that the processes don't meet."""
        while True:
            await asyncio.sleep(PERIOD * random.uniform(0.9, 1.0))
            await self.report()

    async def report_at_end(self) -> None:
        """Tells the database within LAST_PATIENCE, or not at all."""
        try:
            async with asyncio.timeout(LAST_PATIENCE):
                await self.report()
        except TimeoutError:
            log.write("warning", message="The database did not answer, so the last uses of keys are lost.")
