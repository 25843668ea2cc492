"""Servers with replicas, and a replica that replays the log with pauses at random times."""

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from psycopg import Connection

from bench.hosts import Host, Pair
from tests.support.database import Organization
from tests.support.process import Server, leads_here

HEADER = "Leads-Position"
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


def is_used(server: Server) -> bool:
    """Whether the server uses all replicas."""
    response = httpx.get(server.base + "/readyz")
    return response.status_code == 200 and response.json() == {"status": "ok"}


def metrics(server: Server) -> str:
    """The metrics of a server."""
    url = re.search(r"http://[^ ]+/metrics", server.log.read_text())
    assert url is not None
    return httpx.get(url[0]).text


def targets(server: Server, since: int) -> list[str | None]:
    """The replica that has answered each GET of a lead since the line of the log, None: the primary."""
    lines = server.lines()[since:]
    return [line.get("replica") for line in lines if line.get("method") == "GET" and line.get("route") == "/leads/{id}"]


def made_lead(client: httpx.Client, **fields: Any) -> tuple[str, dict[str, str]]:
    """The path of a new lead, and the header of its position."""
    response = client.post("/leads", json={"email": "a@example.com", **fields})
    assert response.status_code == 201
    return f"/leads/{response.json()['id']}", {HEADER: response.headers[HEADER]}


def made_analyst(pair: Pair, login: str, organization: Organization, *options: str) -> Callable[..., Connection]:
    """Creates an analyst's login. Returns a function that opens a session on the standby or, with the
    argument, on another host. It connects by TCP, with the password.
    """
    process = leads_here(pair.primary.database)(
        "bi", "create", login, "--organization", organization.id, "--json", *options
    )
    assert process.returncode == 0, process.stderr
    password = json.loads(process.stdout)["password"]
    pair.wait_for_stream()

    def connect(host: Host = pair.standby) -> Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=host.server.port,
            dbname="leads",
            user=login,
            password=password,
            autocommit=True,
        )

    return connect


def name_of(host: Host) -> str:
    """The name of a replica in logs and metrics."""
    return f"{host.server.socket_dir}:{host.server.port}"


@contextmanager
def reading(client: httpx.Client, lead: str) -> Iterator[list[int]]:
    """Reads the lead again and again in 8 threads. Yields the statuses."""
    statuses: list[int] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            statuses.append(client.get(lead).status_code)

    with ThreadPoolExecutor(8) as threads:
        for _ in range(8):
            threads.submit(read)
        try:
            yield statuses
        finally:
            is_over.set()
