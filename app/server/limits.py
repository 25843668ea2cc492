"""The rate limit of each key and of each form's token: a token bucket.

A bucket is one number: the time at which it will be full again (the generic cell rate algorithm). A
request adds to it the time in which one token flows in, and is refused if the bucket would then be
full later than an empty one would be. A bucket whose time is past is full, as a new one is, so it
needs no place any more.

The server processes of ``leads serve`` share the buckets in a file that each maps into its memory. A
request locks the part of the file with its bucket. The system releases such a lock when its process
ends, however it ends, and one write changes a bucket. If the lock is not free in time, or no place is
free, the request counts in the memory of its process only.

Only keys that the database has accepted get a bucket, and each has its own.
"""

import fcntl
import mmap
import os
import struct
import time
from pathlib import Path
from typing import NamedTuple

BUCKETS = "LEADS_RATE_LIMIT_BUCKETS"
"""The variable that tells the server processes the file of the buckets. ``leads serve`` sets it."""

POLICY = "default"
"""The name of the limit in the headers."""

MOST_LOCAL = 10_000
"""Buckets in the memory of a process from which on full ones are removed."""

_PARTS = 4096
_WAYS = 16
"""Buckets of a part. With 20,000 keys in use, a part has 5 on average."""
_NAME = 32
"""Bytes of a key's digest that name a bucket: 128 bits, in hexadecimal."""
_NUMBERS = _WAYS * _NAME
"""Where the times of a part begin, after its names."""
_PART = _NUMBERS + _WAYS * 8
_TRIES = 20
"""Attempts to lock a part at once. Another process holds it for some microseconds."""
LATER_TRIES = 10
"""Further attempts, each after _LATER seconds: the process that holds it may wait for a processor."""
_LATER = 0.001

# Native numbers are written at once.
_time = struct.Struct("@q")
_times = struct.Struct(f"@{_WAYS}q")


class Verdict(NamedTuple):
    """Whether a request is within the limit, and what its response says about it."""

    headers: tuple[tuple[bytes, bytes], ...]
    retry_after: int | None = None
    """Seconds, rounded up, after which a request can succeed. None: this one is within the limit."""


def create(folder: Path) -> Path:
    """Creates the file of the buckets. Its blocks are written, because a write to a mapped file that
    finds the disk full would end the process.
    """
    path = folder / "buckets"
    path.write_bytes(bytes(_PARTS * _PART))
    return path


class Limits:
    """The buckets. Times are in nanoseconds of a clock that all processes of the host have."""

    def __init__(self, per_minute: int, burst: int, path: Path | None = None) -> None:
        """per_minute: the tokens that flow into a bucket in a minute; burst: those that it can hold;
        path: the file that the processes share. None: this process is the only one.
        """
        self.per_minute = per_minute
        self._pause = 60_000_000_000 // per_minute
        """The time in which one token flows in."""
        self._most = burst * self._pause
        """The time in which an empty bucket becomes full."""
        window = -(-self._most // 1_000_000_000)
        self._policy = b"ratelimit-policy", f'"{POLICY}";q={burst};w={window}'.encode()
        self._local: dict[bytes, int] = {}
        """When each bucket is full again, by the digest of the key."""
        self._shared = None if path is None else _File(path)

    def take(self, digest: bytes, now: int, *, is_answered: bool = False) -> Verdict:
        """Takes a token for a request. A request that is over the limit takes none.

        is_answered: the request has been answered, so that it is never over the limit.
        """
        shared = self._shared
        if shared is not None and (part := shared.lock(digest)) is not None:
            try:
                place, known = shared.find(part, digest, now)
                if place is not None:
                    full_at, verdict = self._decide(known, now, is_answered)
                    if full_at is not None:
                        shared.write(place, full_at)
                    return verdict
            finally:
                shared.unlock(part)
        full_at, verdict = self._decide(self._local.get(digest, now), now, is_answered)
        if full_at is not None:
            if len(self._local) >= MOST_LOCAL and digest not in self._local:
                self._local = {name: at for name, at in self._local.items() if at > now}
            self._local[digest] = full_at
        return verdict

    def knows(self, digest: bytes, now: int) -> bool:
        """Whether another process has taken a token for the key a short time ago, so that the database
        has accepted it.
        """
        return self._shared is not None and self._shared.has(digest, now)

    def _decide(self, full_at: int, now: int, is_answered: bool) -> tuple[int | None, Verdict]:
        """When the bucket is full after the request, or None if the request is over the limit."""
        missing = min(max(full_at - now, 0), self._most) + self._pause
        if missing > self._most:
            if not is_answered:
                seconds = -(-(missing - self._most) // 1_000_000_000)
                return None, Verdict((self._policy, _state(0, seconds)), seconds)
            missing = self._most
        # Of the tokens that are missing, the first is complete after this time.
        following = (missing - 1) % self._pause + 1
        return now + missing, Verdict(
            (self._policy, _state((self._most - missing) // self._pause, -(-following // 1_000_000_000)))
        )


def _state(remaining: int, seconds: int) -> tuple[bytes, bytes]:
    return b"ratelimit", b'"%b";r=%d;t=%d' % (POLICY.encode(), remaining, seconds)


def _part(digest: bytes) -> int:
    return int(digest[_NAME : _NAME + 8], 16) % _PARTS


class _File:
    """The file of the buckets. It is a hash table: a digest selects a part, which has _WAYS places."""

    def __init__(self, path: Path) -> None:
        # It stays open: to close any descriptor of the file would release the locks.
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._map = mmap.mmap(self._descriptor, _PARTS * _PART)

    def has(self, digest: bytes, now: int) -> bool:
        """Whether the digest has a bucket that is not full. Without a lock."""
        place = self._place(_part(digest), digest)
        return place is not None and int(_time.unpack_from(self._map, place)[0]) > now

    def lock(self, digest: bytes) -> int | None:
        """Locks the part with the digest's bucket. None: another process holds it for long."""
        part = _part(digest)
        for number in range(_TRIES + LATER_TRIES):
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, part)
                return part
            except OSError:
                # Not forever: the process could have been stopped, such as by a debugger.
                time.sleep(0 if number < _TRIES else _LATER)
        return None

    def unlock(self, part: int) -> None:
        """Unlocks the part."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, part)

    def find(self, part: int, digest: bytes, now: int) -> tuple[int | None, int]:
        """The place of the digest's bucket and when that is full. A new bucket takes the place of a
        full one. None: there is no place for it.
        """
        place = self._place(part, digest)
        if place is not None:
            return place, _time.unpack_from(self._map, place)[0]
        start = part * _PART
        times = _times.unpack_from(self._map, start + _NUMBERS)
        oldest = min(range(_WAYS), key=times.__getitem__)
        if times[oldest] > now:
            return None, now
        # The name first: until its time is written, it has the time of a full bucket.
        self._map[start + oldest * _NAME : start + (oldest + 1) * _NAME] = digest[:_NAME]
        return start + _NUMBERS + oldest * 8, now

    def _place(self, part: int, digest: bytes) -> int | None:
        start = part * _PART
        position = self._map[start : start + _NUMBERS].find(digest[:_NAME])
        return None if position < 0 or position % _NAME else start + _NUMBERS + position // _NAME * 8

    def write(self, place: int, full_at: int) -> None:
        """Changes the time of a bucket."""
        _time.pack_into(self._map, place, full_at)
