"""The small version of ``make pressure``: other clients are served, and no effect of a write is lost
or doubled, while abusive clients put the server under pressure. Each of its checks can fail.
"""

import asyncio
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import pytest

from bench import abuse, pressure
from bench.abuse import Abuse, Target
from bench.effects import Effects
from bench.mixed import Attempt, Load, Write
from bench.pressure import Memory, Result
from bench.site import Site
from tests.support.database import Database

CLIENTS = {
    "crowd": 60,
    "unknown key": 60,
    "row lock": 10,
    "table lock": 8,
    "slow requests": 30,
    "idle connections": pressure.FILES + 100,
    "large bodies": 2,
    "pipelining": 6,
    "disconnects": 10,
}


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Site, Database]]:
    """``leads serve`` with two connections to a PostgreSQL of its own, with fsync."""
    with pressure.limited_site() as started:
        yield started


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """A process for the abusive clients."""
    with pressure.abusers() as started:
        yield started


@pytest.mark.parametrize("name", pressure.SCENARIOS)
def test_other_clients_are_served(
    name: str, site: tuple[Site, Database], executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine everything takes longer.
    monkeypatch.setattr(pressure, "LONGEST", 30.0)
    monkeypatch.setattr(pressure, "RECOVERY", 30.0)
    result = pressure.run(*site, name, executor, seconds=0.5, clients=CLIENTS[name], warm_up=0.0)
    assert result.faults() == []
    assert {write.kind for write in result.load.writes} == {"create", "signal", "patch"}


def test_the_server_raises_its_limit_of_open_files(site: tuple[Site, Database]) -> None:
    soft, hard = resource.prlimit(site[0].pid, resource.RLIMIT_NOFILE)
    assert soft == min(hard, 65536) > pressure.FILES


def test_memory_is_that_of_all_processes(site: tuple[Site, Database]) -> None:
    program = "import os, sys; data = os.urandom(30_000_000); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        assert 30 < pressure.resident(process.pid) < 60
        process.stdin.close()
    server, postmaster = site[0].pid, site[0].postmaster()
    assert pressure.resident(server, without=postmaster) > 30
    (backends,) = site[1].sql("select count(*) as n from pg_stat_activity")
    assert pressure.resident(postmaster) > backends["n"] * 0.5
    assert pressure.resident(server, without=server) == 0


def abused(name: str = "crowd", status: int = 200) -> Abuse:
    """What clients did that saw this status."""
    return Abuse(Target("", "", "", ""), 1, 0.0, Counter({status: 9}), sent=5, acknowledged=3)


GOOD = Load(
    "", "", attempts=[Attempt("create", 201, "", 0.0, 0.1)], writes=[Write("create", "mark", "id", {"id": "id"})]
)
RESULT = Result("crowd", abused(), GOOD, Effects([], [], [], "", 1, 1), Memory((40.0, 90.0), (60.0, 90.0)), 0.1, 4)


def test_a_good_result_has_no_fault() -> None:
    assert RESULT.faults() == []


def probed(*attempts: Attempt) -> Load:
    """The probe with some more requests."""
    return replace(GOOD, attempts=[*GOOD.attempts, *attempts])


PLANTS: dict[str, dict[str, Any]] = {
    "a lost write": {"effects": Effects(["create x"], [], [], "", 1, 1)},
    "a doubled effect": {"effects": Effects([], ["create x"], [], "", 1, 1)},
    "a missing event": {"effects": Effects([], [], ["lead.created of x: no event"], "", 1, 0)},
    "a broken chain": {"effects": Effects([], [], [], "digest", 1, 1)},
    "a 500": {"load": probed(Attempt("read", 500, "internal", 0.0, 0.1))},
    "a lost connection": {"load": probed(Attempt("read", 0, "", 0.0, 0.1))},
    "a 503 without a lock": {"name": "disconnects", "abuse": replace(abused(), statuses=Counter(), unread=1)}
    | {"load": probed(Attempt("read", 503, "unavailable", 0.0, 0.1))},
    "a long request": {"load": probed(Attempt("read", 200, "", 0.0, 5.1))},
    "a refused request": {"load": replace(GOOD, refused=["GET /leads: 404 not_found"])},
    "a request without success": {"load": replace(GOOD, unfinished=["POST /leads: 503 unavailable"])},
    "a wrong status": {"abuse": abused(status=500)},
    "a closed connection": {"abuse": abused(status=abuse.CLOSED)},
    "an abusive client's fault": {"abuse": replace(abused(), faults=["A 503 has no Retry-After."])},
    "an abusive client's lost write": {"changes": 2},
    "an abusive client's doubled write": {"changes": 6},
    "memory of the server": {"memory": Memory((40.0, 90.0), (105.0, 90.0))},
    "memory of PostgreSQL": {"memory": Memory((40.0, 90.0), (40.0, 155.0))},
    "a slow recovery": {"recovery": 5.1},
    "a server that ended": {"restarts": 1},
    "no probe": {"load": replace(GOOD, writes=[])},
    "no abuse": {"abuse": replace(abused(), statuses=Counter())},
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_found(name: str) -> None:
    assert len(replace(RESULT, **PLANTS[name]).faults()) == 1


def answer(status: int, id: str = "x") -> bytes:
    """A response without a body, and without Retry-After."""
    return f"HTTP/1.1 {status} OK\r\nx-request-id: {id}\r\ncontent-length: 0\r\n\r\n".encode()


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server whose answers are 500, and have the wrong id."""
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(answer(500))


async def be_busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server whose answers are 503."""
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(answer(503))


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that reads and never answers."""
    while await reader.read(65536):
        pass


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that closes each connection."""


@pytest.mark.parametrize(
    ("scenario", "server", "fault"),
    [
        ("crowd", refuse, "abusive requests got 500."),
        ("crowd", be_busy, "A 503 has no Retry-After."),
        ("crowd", hang, "A request had no answer after"),
        ("crowd", close, "abusive requests got no answer."),
        ("row lock", refuse, "abusive requests got 500."),
        ("slow requests", hang, "A slow request stayed open for"),
        ("idle connections", close, "The server closed an idle connection too early."),
        ("large bodies", refuse, "abusive requests got 500."),
        ("pipelining", refuse, "The answer to 1-0 is that to x."),
    ],
)
def test_a_server_that_behaves_wrongly_is_found(
    scenario: str, server: Callable[..., Any], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BODY_PATIENCE", "TICK", "LATE"):
        monkeypatch.setattr(abuse, name, 0.0)
    if server is hang:
        monkeypatch.setattr(abuse, "PATIENCE", 0.2)
    if scenario == "slow requests":
        monkeypatch.setattr(abuse, "HEAD_PATIENCE", 0.0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await server(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def run(seconds: float) -> Abuse:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
            host, port = listener.sockets[0].getsockname()
            target = Target(f"http://{host}:{port}", "key", "lead", "")
            seen = Abuse(target, 2, asyncio.get_running_loop().time() + seconds)
            await asyncio.gather(*(abuse.CLIENTS[scenario](seen, client) for client in (1, 2)))
            return seen

    # On a busy machine, the time may be over before anything is sent.
    for seconds in (0.3, 3.0, 30.0):
        faults = replace(RESULT, name=scenario, abuse=asyncio.run(run(seconds))).faults()
        if any(fault in found for found in faults):
            break
    assert [found for found in faults if fault in found], faults
