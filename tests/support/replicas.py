"""A primary and its standby, and a standby that replays the log with pauses at random times."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from bench.hosts import Host

SETTINGS = "fsync = off\nmax_standby_streaming_delay = 1s\n"
"""Settings of both. The tests crash processes, not the machine."""


def run_there(host: Host, statement: str) -> list[dict[str, Any]]:
    """Runs the statement on the standby. If the replay cancels it, because it needs rows that were removed,
    it runs again.
    """
    while True:
        with suppress(psycopg.errors.SerializationFailure):
            return host.database.sql(statement)


def is_paused(host: Host) -> bool:
    """Whether the standby replays nothing."""
    return bool(run_there(host, "select pg_get_wal_replay_pause_state() = 'paused' as is_paused")[0]["is_paused"])


@contextmanager
def paused(host: Host) -> Iterator[None]:
    """The standby replays nothing during the block."""
    run_there(host, "select pg_wal_replay_pause()")
    try:
        while not is_paused(host):
            time.sleep(0.01)
        yield
    finally:
        run_there(host, "select pg_wal_replay_resume()")


@contextmanager
def pausing(host: Host, longest: float) -> Iterator[None]:
    """The standby pauses again and again during the block, for up to ``longest`` seconds."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.is_set():
            with paused(host):
                is_over.wait(random.uniform(0, longest))
            is_over.wait(random.uniform(0, longest))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@dataclass
class Reads:
    """What a client has seen that reads each of its writes."""

    fresh: int = 0
    stale: list[str] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)


def read_own_writes(client: httpx.Client, lead: str, count: int, *, sends_position: bool = True) -> Reads:
    """Changes the lead ``count`` times, and reads it after each change."""
    reads = Reads()
    for number in range(count):
        value = f"value {number}"
        written = client.patch(lead, json={"company": value})
        headers = {"Leads-Position": written.headers["leads-position"]} if sends_position else {}
        read = client.get(lead, headers=headers)
        if written.status_code != 200 or read.status_code != 200:
            reads.failed.append(read.status_code)
        elif read.json()["company"] == value:
            reads.fresh += 1
        else:
            reads.stale.append(read.json()["company"])
    return reads
