"""What the clients of ``make pressure`` do to the server. It runs in a process of its own, so that
it doesn't delay the client that is measured.
"""

import asyncio
import functools
import gzip
import itertools
import json
import re
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from app.server.protocol import BODY_PATIENCE, HEAD_PATIENCE, TICK
from bench.connection import Answer, Connection, request

CLOSED = 0
"""Instead of a status: the server has closed the connection without an answer."""
PATIENCE = 30.0
"""Seconds after which a missing answer is a fault."""
LATE = 5.0
"""Seconds by which a busy machine may delay the end of a slow request."""
HOLD = 7.0
"""Seconds for which a lock is held: longer than a request waits for it."""
LARGEST = 50 << 20
"""Bytes of the largest body."""
AHEAD = 20
"""Requests that a client sends at once."""


@dataclass(frozen=True)
class Target:
    """A server, a key of the abusive organization, one of its leads, and the superuser's address."""

    base: str
    key: str
    lead: str
    database: str


@dataclass
class Abuse:
    """What the abusive clients did and saw.

    sent: the writes whose effect may exist. acknowledged: those whose effect must exist.
    """

    target: Target
    clients: int
    ends_at: float
    statuses: Counter[int] = field(default_factory=Counter)
    sent: int = 0
    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)
    unread: int = 0
    """Requests whose client did not wait for the answer."""

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(self.ends_at - time.monotonic(), 0.0)

    @property
    def goes_on(self) -> bool:
        """Whether there is time left."""
        return self.left > 0

    def request(self, line: str, *headers: str, **body: str) -> bytes:
        """A request with the key. With a body, it is a write."""
        self.sent += bool(body)
        return request(line, self.target.key, json.dumps(body).encode() if body else None, *headers)

    def create(self) -> bytes:
        """A request that creates a lead."""
        return self.request("POST /leads", email=f"abuse-{self.sent}@example.com")

    def count(self, answer: Answer, *, is_write: bool = False) -> None:
        """Counts an answer."""
        self.statuses[answer.status] += 1
        self.acknowledged += is_write and answer.status < 300
        if answer.status == 503 and answer.header("retry-after") is None:
            self.faults.append("A 503 has no Retry-After.")

    def count_close(self) -> None:
        """Counts a connection that the server has closed, or that the end of the time has."""
        if self.goes_on:
            self.statuses[CLOSED] += 1
        else:
            self.unread += 1

    async def read(self, connection: Connection, *, is_write: bool = False) -> Answer | None:
        """Reads and counts an answer. None: the server has closed the connection."""
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await connection.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.statuses[CLOSED] += 1
            return None
        except TimeoutError:
            self.faults.append(f"A request had no answer after {PATIENCE:.0f} s.")
            return None
        self.count(answer, is_write=is_write)
        return answer


async def _send_all(abuse: Abuse, *requests: Callable[[], bytes]) -> None:
    """Sends these requests in turn, each after the answer to the last one."""
    async with Connection(abuse.target.base) as connection:
        for number in itertools.cycle(range(len(requests))):
            if not abuse.goes_on:
                return
            before = abuse.sent
            data = requests[number]()
            is_write = abuse.sent > before
            with suppress(ConnectionError):
                await connection.send(data)
            if await abuse.read(connection, is_write=is_write) is None:
                return


async def crowd(abuse: Abuse, client: int) -> None:
    """Reads and writes without a pause."""
    await _send_all(abuse, lambda: abuse.request("GET /leads?limit=20"), abuse.create)


async def stranger(abuse: Abuse, client: int) -> None:
    """Reads without a pause, with a key that nobody has."""
    key = b"lk_" + b"0" * 43
    await _send_all(abuse, lambda: abuse.request("GET /leads?limit=20").replace(abuse.target.key.encode(), key))


async def patch(abuse: Abuse, client: int) -> None:
    """Changes one lead, again and again."""
    line = f"PATCH /leads/{abuse.target.lead}"
    await _send_all(abuse, lambda: abuse.request(line, company=f"{client}-{abuse.sent}"))


async def slow(abuse: Abuse, client: int) -> None:
    """Sends a head or a body, a byte a second."""
    lines = ["X: ", "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"]
    lines.append("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    kind = client % 3
    piece = b"1\r\n \r\n" if kind == 2 else b" "
    limit = (BODY_PATIENCE if kind else HEAD_PATIENCE) + TICK + LATE
    while abuse.goes_on:
        async with Connection(abuse.target.base) as connection:
            began = time.monotonic()
            with suppress(ConnectionError):
                await connection.send(abuse.request("POST /leads")[:-2] + lines[kind].encode())
                while abuse.goes_on and not connection.reader.at_eof():
                    await connection.send(piece)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(connection.reader.read(), 1.0)
            if (seconds := time.monotonic() - began) > limit:
                abuse.faults.append(f"A slow request stayed open for {seconds:.1f} s.")
            abuse.count_close()


async def idle(abuse: Abuse, client: int) -> None:
    """Half of the connections send nothing. The others send a request at first, and one at the end."""
    began = time.monotonic()
    async with Connection(abuse.target.base) as connection:
        if client % 2:
            with suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(connection.reader.read(), abuse.left)
            is_early = abuse.goes_on and time.monotonic() - began < HEAD_PATIENCE - 1
            abuse.count_close()
        else:
            is_early = True
            with suppress(ConnectionError):
                for seconds in (abuse.left, 0.0):
                    await connection.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                    is_early = await abuse.read(connection) is None
                    await asyncio.sleep(seconds)
        if is_early:
            abuse.faults.append("The server closed an idle connection too early.")


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(bytes(LARGEST))


async def bodies(abuse: Abuse, client: int) -> None:
    """Sends bodies that are too large, with a length, in chunks, and as gzip."""
    json_type = "Content-Type: application/json"
    piece, bomb = b" " * 65536, _bomb()
    parts: Iterable[bytes]
    for number in itertools.count(client):
        size = (LARGEST, 1 << 20, 10 << 20)[number // 4 % 3]
        match number % 4:
            case 0:
                headers, parts = [f"Content-Length: {size}"], itertools.repeat(piece, size // len(piece))
            case 1:
                chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
                headers = ["Transfer-Encoding: chunked"]
                parts = itertools.chain(itertools.repeat(chunk, size // len(piece)), [b"0\r\n\r\n"])
            case 2:
                headers, parts = [f"Content-Length: {len(bomb)}", "Content-Encoding: gzip"], [bomb]
            case _:
                headers = [f"Content-Length: {size}", "Content-Encoding: gzip"]
                parts = itertools.repeat(piece, size // len(piece))
        async with Connection(abuse.target.base) as connection:
            answer = asyncio.create_task(abuse.read(connection))
            with suppress(ConnectionError):
                await connection.send(abuse.request("POST /leads", json_type, *headers))
                for part in parts:
                    await connection.send(part)
            await answer
        if not abuse.goes_on:
            return


async def pipeline(abuse: Abuse, client: int) -> None:
    """Sends many requests at once. A third of the clients reads no answer."""
    tiny = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"
    while abuse.goes_on:
        async with Connection(abuse.target.base) as connection:
            if client % 3 == 0:
                with suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(abuse.left):
                        for size in itertools.cycle((60, 1200, 10240)):
                            abuse.unread += size
                            await connection.send(tiny * size)
                            await asyncio.sleep(0.05)
                connection.reset()
                continue
            ids = [f"{client}-{number}" for number in range(AHEAD)]
            requests = [abuse.request("GET /leads?limit=1", f"X-Request-Id: {id}") for id in ids[1:]]
            create = request("POST /leads", abuse.target.key, b'{"email":"a@example.com"}', f"X-Request-Id: {ids[0]}")
            abuse.sent += 1
            await connection.send(create + b"".join(requests))
            for id in ids:
                answer = await abuse.read(connection, is_write=id == ids[0])
                if answer is None:
                    break
                if answer.header("x-request-id") != id:
                    abuse.faults.append(f"The answer to {id} is that to {answer.header('x-request-id')}.")


async def disconnect(abuse: Abuse, client: int) -> None:
    """Sends requests and leaves: at once, in the body, before the answer, and amid the answer."""
    for number in itertools.count(client):
        if not abuse.goes_on:
            return
        async with Connection(abuse.target.base) as connection:
            with suppress(ConnectionError):
                match number % 5:
                    case 0 | 1:
                        await connection.send(abuse.create())
                        await asyncio.sleep(number % 3 * 0.01)
                    case 2:
                        await connection.send(abuse.create()[:-1])
                        await asyncio.sleep(0.01)
                    case 3:
                        await connection.send(abuse.request("GET /leads?limit=200"))
                    case _:
                        await connection.send(abuse.request("GET /leads?limit=200") * AHEAD)
                        await asyncio.wait_for(connection.reader.read(1), PATIENCE)
            abuse.unread += 1
            if number % 2:
                connection.reset()
        await asyncio.sleep(0.01)


CLIENTS: dict[str, Callable[[Abuse, int], Awaitable[None]]] = {
    "crowd": crowd,
    "unknown key": stranger,
    "row lock": patch,
    "table lock": crowd,
    "slow requests": slow,
    "idle connections": idle,
    "large bodies": bodies,
    "pipelining": pipeline,
    "disconnects": disconnect,
}
LOCKS = {
    "row lock": "select from app.lead where id = '{lead}' for update",
    "table lock": "lock table app.lead in access exclusive mode",
}


async def _lock(abuse: Abuse, statement: str) -> None:
    """Holds the lock for HOLD seconds, again and again, at most for two thirds of the time."""
    left = abuse.left
    async with await psycopg.AsyncConnection.connect(abuse.target.database, autocommit=True) as session:
        while abuse.goes_on:
            async with session.transaction():
                await session.execute(statement.format(lead=abuse.target.lead).encode())
                await asyncio.sleep(min(HOLD, left * 2 / 3))
            await asyncio.sleep(min(HOLD, left * 2 / 3) / 2)


async def _run(scenario: str, abuse: Abuse) -> None:
    async with asyncio.TaskGroup() as tasks:
        if scenario in LOCKS:
            tasks.create_task(_lock(abuse, LOCKS[scenario]))
            await asyncio.sleep(0.1)
        for client in range(abuse.clients):
            tasks.create_task(_use(scenario, abuse, client))


async def _use(scenario: str, abuse: Abuse, client: int) -> None:
    try:
        await CLIENTS[scenario](abuse, client)
    except OSError as error:
        abuse.faults.append(f"A connection could not be used: {re.sub(r'[0-9]{4,}', 'N', str(error))}.")


def run(scenario: str, target: Target, clients: int, seconds: float) -> Abuse:
    """Does what the scenario's clients do for some seconds."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _bomb()  # takes some tenths of a second
    abuse = Abuse(target, clients, time.monotonic() + seconds)
    asyncio.run(_run(scenario, abuse))
    return abuse
