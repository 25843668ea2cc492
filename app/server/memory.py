"""The memory for the bodies of all requests that are larger than SMALL_BODY.

A request reserves the size of its body before it reads it, and keeps it until its response is made.
Each server process uses about three times as much, because a body is copied.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SMALL_BODY = 64 * 1024
"""Bytes of a body that needs no reservation."""
SIZE = 64 * 1024 * 1024
"""Bytes of all bodies at once that are larger."""
PATIENCE = 5.0
"""Seconds that a request waits until enough is free."""


class Memory:
    """What is free. A caller with several uploads gets at most half of it."""

    def __init__(self, size: int = SIZE) -> None:
        self._free = size
        self._most = size // 2
        self._used: Counter[bytes] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def reserved(self, caller: bytes, size: int, patience: float = PATIENCE) -> AsyncIterator[bool]:
        """Reserves the bytes for the caller during the block. False: not enough became free in time.

        size: at most half of all.
        """

        def is_free() -> bool:
            return size <= self._free and self._used[caller] + size <= self._most

        try:
            async with asyncio.timeout(patience), self._changed:
                await self._changed.wait_for(is_free)
                self._free -= size
                self._used[caller] += size
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            self._free += size
            self._used[caller] -= size
            if not self._used[caller]:
                del self._used[caller]
            async with self._changed:
                self._changed.notify_all()
