"""The order in which requests get connections to PostgreSQL.

A free connection goes to the caller that occupies the fewest of them. So a caller with hundreds of
requests, or with expensive ones, leaves each other caller its equal part.
"""

import asyncio
from collections import deque
from typing import Any, Protocol

ANYBODY = b""
"""The caller of all requests whose key is not known to be valid. They share one part, because
everybody can invent keys.
"""


class Client(Protocol):
    """The client that has sent a request."""

    is_gone: bool
    """Whether the client has disconnected, so that nobody reads the response."""


class Unavailable(Exception):
    """No connection was free in time. Nothing was sent."""


class Crowded(Unavailable):
    """Too many requests wait, and no caller has more of them than this one."""


class ClientGone(Exception):
    """The client has disconnected. Nothing was sent, or the statement only read."""


Entry = tuple[float, "asyncio.Future[Any]", Client]
"""Until when a request waits (the event loop's time), what it waits for, and its client."""


class Queue:
    """The requests that wait, and the number of connections that each caller occupies."""

    def __init__(self, connections: int, limit: int) -> None:
        """connections: their number; limit: the requests that may wait at once."""
        # One connection of eight is left for the others.
        self._most = connections - connections // 8
        self._limit = limit
        self._running: dict[bytes, int] = {}
        self._waiting: dict[bytes, deque[Entry]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, caller: bytes) -> bool:
        """Counts one more connection for the caller, unless it has as many as one may have."""
        running = self._running.get(caller, 0)
        if running >= self._most:
            return False
        self._running[caller] = running + 1
        return True

    def leave(self, caller: bytes) -> None:
        """Counts one connection less for the caller."""
        running = self._running[caller] - 1
        if running:
            self._running[caller] = running
        else:
            del self._running[caller]

    def put(self, caller: bytes, entry: Entry, now: float) -> None:
        """Appends a request. If the queue is full, the caller with the most requests loses its
        last one. Raises Crowded if this is the caller itself.
        """
        if self._count >= self._limit:
            self.drop(now)
        if self._count >= self._limit:
            longest = max(self._waiting.values(), key=len, default=deque())
            if len(longest) <= len(self._waiting.get(caller, ())) + 1:
                raise Crowded
            _, future, _ = longest.pop()
            self._count -= 1
            if not future.done():
                future.set_exception(Crowded())
        self._waiting.setdefault(caller, deque()).append(entry)
        self._count += 1

    def take(self) -> "asyncio.Future[Any] | None":
        """Removes the request whose turn it is, and counts a connection for its caller. None: no
        caller that waits may have one more.
        """
        while self._waiting:
            caller = min(self._waiting, key=lambda each: self._running.get(each, 0))
            if not self.enter(caller):
                return None
            # Between equals, the turns go round.
            entries = self._waiting.pop(caller)
            _, future, client = entries.popleft()
            self._count -= 1
            if entries:
                self._waiting[caller] = entries
            if not future.done():
                if not client.is_gone:
                    return future
                future.set_exception(ClientGone())
            self.leave(caller)
        return None

    def drop(self, now: float) -> None:
        """Ends the waits of requests whose time is over, or whose client has gone."""
        waiting, self._waiting, self._count = self._waiting, {}, 0
        for caller, entries in waiting.items():
            kept: deque[Entry] = deque()
            for entry in entries:
                until, future, client = entry
                if future.done():
                    continue
                if client.is_gone:
                    future.set_exception(ClientGone())
                elif now > until:
                    future.set_exception(Unavailable())
                else:
                    kept.append(entry)
            if kept:
                self._waiting[caller] = kept
                self._count += len(kept)
