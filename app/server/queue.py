"""The order in which requests get places on the connections to PostgreSQL.

There are as many places as connections: a place is one statement that runs. A free place goes to
the caller that occupies the fewest. So a caller with hundreds of requests, or with expensive ones,
leaves each other caller its equal part.
"""

import asyncio
from collections import deque
from typing import Any, Generic, Protocol, TypeVar

ANYBODY = b""
"""The caller of all requests whose key is not known to be valid. They share one part, because
everybody can invent keys.
"""


class Client(Protocol):
    """The client that has sent a request."""

    is_gone: bool
    """Whether the client has disconnected, so that nobody reads the response."""


class Unavailable(Exception):
    """No place was free in time. Nothing was sent."""


class Crowded(Unavailable):
    """Too many requests wait, and no caller has more of them than this one."""


class ClientGone(Exception):
    """The client has disconnected. Nothing was sent, or the statement only read."""


class Entry(Protocol):
    """A request that waits."""

    until: float
    """When the wait ends (time.monotonic)."""
    future: "asyncio.Future[Any]"
    """Gets the error that ends the wait."""
    client: Client


T = TypeVar("T", bound=Entry)


class Queue(Generic[T]):
    """The requests that wait, and the number of places that each caller occupies."""

    def __init__(self, places: int, limit: int) -> None:
        """places: their number; limit: the requests that may wait at once."""
        self._free = places
        # One place of eight is left for the others.
        self._most = places - places // 8
        self._limit = limit
        self._running: dict[bytes, int] = {}
        self._waiting: dict[bytes, deque[T]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, caller: bytes) -> bool:
        """Gives the caller one more place, unless none is free or it has as many as one may have."""
        running = self._running.get(caller, 0)
        if not self._free or running >= self._most:
            return False
        self._free -= 1
        self._running[caller] = running + 1
        return True

    def leave(self, caller: bytes) -> None:
        """Takes a place from the caller."""
        self._free += 1
        running = self._running[caller] - 1
        if running:
            self._running[caller] = running
        else:
            del self._running[caller]

    def put(self, caller: bytes, entry: T, now: float) -> None:
        """Appends a request. If the queue is full, the caller with the most requests loses its
        last one. Raises Crowded if this is the caller itself.
        """
        if self._count >= self._limit:
            self.drop(now)
        if self._count >= self._limit:
            longest = max(self._waiting.values(), key=len, default=deque())
            if len(longest) <= len(self._waiting.get(caller, ())) + 1:
                raise Crowded
            last = longest.pop()
            self._count -= 1
            if not last.future.done():
                last.future.set_exception(Crowded())
        self._waiting.setdefault(caller, deque()).append(entry)
        self._count += 1

    def take(self) -> T | None:
        """Removes the request whose turn it is, and gives its caller a place. None: no place is
        free, or no caller that waits may have one more.
        """
        while self._waiting:
            caller = min(self._waiting, key=lambda each: self._running.get(each, 0))
            if not self.enter(caller):
                return None
            # Between equals, the turns go round.
            entries = self._waiting.pop(caller)
            entry = entries.popleft()
            self._count -= 1
            if entries:
                self._waiting[caller] = entries
            if not entry.future.done():
                if not entry.client.is_gone:
                    return entry
                entry.future.set_exception(ClientGone())
            self.leave(caller)
        return None

    def drop(self, now: float) -> None:
        """Ends the waits of requests whose time is over, or whose client has gone."""
        waiting, self._waiting, self._count = self._waiting, {}, 0
        for caller, entries in waiting.items():
            kept: deque[T] = deque()
            for entry in entries:
                if entry.future.done():
                    continue
                if entry.client.is_gone:
                    entry.future.set_exception(ClientGone())
                elif now > entry.until:
                    entry.future.set_exception(Unavailable())
                else:
                    kept.append(entry)
            if kept:
                self._waiting[caller] = kept
                self._count += len(kept)
