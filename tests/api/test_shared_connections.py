"""Reads of two organizations that share a connection, on a real PostgreSQL and on uvloop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from app import session
from app.server import loading, postgres
from app.server.api import PREFIX, Api
from app.server.postgres import DEPTH, Pool, Statement, _Connection, _Request
from app.server.routes import Table
from tests.support.database import Database, Organization, make_organization

ROUTES = """
create function api.trouble(note text, what text)
returns api.answer
language plpgsql
stable
security definer
as $$
begin
  case trouble.what
    when 'error' then
      raise exception 'trouble';
    when 'sleep' then
      perform pg_catalog.pg_sleep(9);
    when 'doze' then
      perform pg_catalog.pg_sleep(0.1);
    when 'kill' then
      perform pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid());
      perform pg_catalog.pg_sleep(9);
    else
  end case;
  return row(
    200,
    null,
    json_build_object('note', trouble.note, 'organization', current_setting('leads.organization_id'))::text
  )::api.answer;
end $$;

create function api.trouble_write(note text)
returns api.answer
language plpgsql
volatile
security definer
as $$
begin
  perform pg_catalog.pg_sleep(0.05);
  return row(
    200,
    null,
    json_build_object('note', trouble_write.note, 'organization', current_setting('leads.organization_id'))::text
  )::api.answer;
end $$;

grant execute on function api.trouble(text, text), api.trouble_write(text) to leads_api;
insert into api.route (method, path, function, scope)
values ('GET', '/trouble', 'api.trouble', 'read'), ('POST', '/trouble', 'api.trouble_write', 'write');
"""


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A database with a read that makes trouble, and a slow write."""
    database = new_database()
    database.sql(ROUTES)
    return database


@pytest.fixture(scope="module")
def tenants(database: Database) -> tuple[Organization, Organization]:
    """Two organizations."""
    return make_organization(database, "Alice Roofing"), make_organization(database, "Bob Plumbing")


@pytest.fixture(scope="module")
def table(database: Database) -> Table:
    """The routes."""
    return loading.load(database.url("leads_api"))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes no read slow, and no idle connection is probed."""
    monkeypatch.setattr(postgres, "SLOW", 60.0)
    # At each tick, reads behind a slow one are sent elsewhere, and one whose client has gone is cancelled.
    monkeypatch.setattr(postgres, "TICK", 600.0)


@dataclass
class Client:
    """A client that can disconnect."""

    is_gone: bool = False


@dataclass
class World:
    """The API in this process, and the statements that it has sent."""

    api: Api
    pool: Pool
    sent: list[tuple[_Connection, int, _Request]] = field(default_factory=list)
    """Each statement with its connection, and the number of those before it there."""

    async def call(
        self,
        tenant: Organization,
        note: str,
        what: str = "nothing",
        *,
        method: str = "GET",
        client: Client | None = None,
    ) -> tuple[int, Any]:
        """The status and the body of a response."""
        query = f"note={note}" + (f"&what={what}" if method == "GET" else "")
        scope = {
            "method": method,
            "path": PREFIX + "/trouble",
            "query_string": query.encode(),
            "headers": [(b"authorization", b"Bearer " + tenant.keys["write"].encode())],
            "leads.client": client or Client(),
        }
        response = await self.api.respond(scope, self._receive)
        assert isinstance(response, tuple)
        return response[0], json.loads(response[2])

    async def _receive(self) -> Any:
        return {"type": "http.request"}

    def positions(self) -> list[int]:
        """The number of statements before each one on its connection."""
        return [before for _, before, _ in self.sent]


@pytest.fixture
def run(
    database: Database, tenants: tuple[Organization, Organization], table: Table, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Runs the steps with an API whose reads are known to be short, on connections that have
    prepared all statements.
    """

    @asynccontextmanager
    async def opened(size: int, *, is_preparing: bool) -> AsyncIterator[World]:
        pool = Pool(database.url("leads_api"), size, 64, is_preparing=is_preparing)
        await pool.open()
        world = World(Api(pool, table), pool)
        send = _Connection.send

        def record(self: _Connection, request: _Request, *, is_short: bool) -> None:
            world.sent.append((self, len(self.requests), request))
            send(self, request, is_short=is_short)

        try:
            # When the keys are known, each connection prepares the statements, because reads that
            # were never measured share none. Then the statements are measured.
            for number in (2, size, 2):
                for method in ("GET", "POST"):
                    pool._means.clear()
                    await asyncio.gather(*(world.call(tenants[n % 2], "first", method=method) for n in range(number)))
            await world.call(tenants[0], "first")
            # The API asks for the ids of a key once, on any connection.
            await ended(*pool._all)
            assert [len(connection.prepared - {b"caller"}) for connection in pool._all] == [2 * is_preparing] * size
            monkeypatch.setattr(_Connection, "send", record)
            yield world
            # All places are free again, as soon as no idle connection is probed.
            async with asyncio.timeout(30):
                while (pool._queue._free, pool._queue._running, pool._busy) != (pool.size, {}, {}):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        finally:
            await pool.close()

    def run(steps: Callable[[World], Awaitable[None]], size: int = 8, *, is_preparing: bool = True) -> None:
        async def start() -> None:
            async with opened(size, is_preparing=is_preparing) as world:
                await steps(world)

        uvloop.run(start())

    return run


def right(tenant: Organization, note: str) -> tuple[int, Any]:
    """The response to a tenant's request."""
    return 200, {"note": note, "organization": tenant.id}


async def ended(*connections: _Connection) -> None:
    """Waits until nothing runs on the connections."""
    async with asyncio.timeout(30):
        while any(connection.requests for connection in connections):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("position", range(DEPTH))
@pytest.mark.parametrize("first", [0, 1], ids=["alice first", "bob first"])
@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        ("error", 500, {"internal"}),
        ("sleep", 503, {"unavailable"}),
        ("kill", 503, {"unavailable"}),
    ],
    ids=["error", "time-out", "lost connection"],
)
def test_trouble_of_one_read_changes_no_answer_of_its_neighbours(
    run: Callable[..., None],
    tenants: tuple[Organization, Organization],
    monkeypatch: pytest.MonkeyPatch,
    position: int,
    first: int,
    what: str,
    status: int,
    words: set[str],
) -> None:
    if what == "sleep":
        monkeypatch.setitem(session.SERVER, "statement_timeout", "1000")

    async def steps(world: World) -> None:
        callers = [tenants[(first + n) % 2] for n in range(DEPTH)]
        calls = [world.call(caller, f"n{n}", what if n == position else "nothing") for n, caller in enumerate(callers)]
        answers = await asyncio.gather(*calls)
        assert world.positions()[:DEPTH] == list(range(DEPTH))
        assert len({connection for connection, _, _ in world.sent[:DEPTH]}) == 1
        for n, (caller, answer) in enumerate(zip(callers, answers, strict=True)):
            if n == position:
                assert (answer[0], answer[1]["code"] in words) == (status, True), answer
            else:
                assert answer == right(caller, f"n{n}")
        if what == "kill":
            # The lost reads ran again, each alone on its connection.
            again = world.sent[DEPTH:]
            assert len(again) >= DEPTH - position
            assert {before for _, before, _ in again} == {0}

    run(steps)


@pytest.mark.parametrize("position", range(DEPTH))
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["disconnected", "cancelled"])
def test_the_answer_of_a_client_that_has_gone_is_thrown_away(
    run: Callable[..., None], tenants: tuple[Organization, Organization], position: int, *, is_cancelled: bool
) -> None:
    async def steps(world: World) -> None:
        callers = [tenants[n % 2] for n in range(DEPTH)]
        client = Client()
        calls = [
            asyncio.ensure_future(
                world.call(caller, f"n{n}", "nothing" if n else "doze", client=client if n == position else None)
            )
            for n, caller in enumerate(callers)
        ]
        while len(world.sent) < DEPTH:  # noqa: ASYNC110, because nothing could set an event
            await asyncio.sleep(0)
        (connection,) = world.pool._busy
        assert len(connection.requests) == DEPTH
        client.is_gone = True
        if is_cancelled:
            calls[position].cancel()
        answers = await asyncio.gather(*calls)
        for n, (caller, answer) in enumerate(zip(callers, answers, strict=True)):
            if n != position:
                assert answer == right(caller, f"n{n}")
            elif is_cancelled:
                assert answer[0] == 503
        await ended(connection)
        assert connection in world.pool._all
        # The next read on the connection gets its own answer.
        assert await world.call(tenants[1], "next") == right(tenants[1], "next")
        assert world.sent[-1][0] is connection

    run(steps)


def test_reads_behind_a_slow_one_run_again_on_other_connections(
    run: Callable[..., None], tenants: tuple[Organization, Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "TICK", 0.05)
    alice, bob = tenants

    async def steps(world: World) -> None:
        client = Client()
        slow = asyncio.ensure_future(world.call(alice, "slow", "sleep", client=client))
        behind = await asyncio.wait_for(asyncio.gather(world.call(bob, "b"), world.call(alice, "a")), 60)
        assert [*behind] == [right(bob, "b"), right(alice, "a")]
        assert world.positions() == [0, 1, 2, 0, 0]
        connection = world.sent[0][0]
        assert connection not in [sent[0] for sent in world.sent[3:]]
        # They occupy no place behind the slow one.
        places = world.pool.size - world.pool._queue._free
        assert (places, len(connection.requests), slow.done()) == (1, 3, False)
        client.is_gone = True
        # Now the slow one is alone, and is cancelled as always.
        status, _ = await asyncio.wait_for(slow, 60)
        assert status == 503

    run(steps)


def test_a_read_and_a_write_never_share_a_connection(
    run: Callable[..., None], tenants: tuple[Organization, Organization]
) -> None:
    alice, bob = tenants

    async def steps(world: World) -> None:
        calls = [("a", alice, "GET"), ("b", bob, "POST"), ("c", bob, "GET"), ("d", alice, "POST"), ("e", alice, "GET")]
        answers = await asyncio.gather(*(world.call(tenant, note, method=method) for note, tenant, method in calls))
        assert answers == [right(tenant, note) for note, tenant, _ in calls]
        assert world.positions() == [0, 0, 1, 0, 2]
        assert len({connection for connection, _, _ in world.sent}) == 3

    run(steps)


def test_no_more_than_a_few_reads_share_a_connection_and_the_others_wait(
    run: Callable[..., None], tenants: tuple[Organization, Organization]
) -> None:
    async def steps(world: World) -> None:
        answers = await asyncio.gather(*(world.call(tenants[n % 2], f"n{n}", "doze") for n in range(30)))
        assert answers == [right(tenants[n % 2], f"n{n}") for n in range(30)]
        assert max(world.positions()) == DEPTH - 1

    run(steps)


@pytest.mark.parametrize("reason", ["its statement is slow", "the first one takes long", "it was never measured"])
def test_no_read_is_sent_behind_a_slow_one(
    run: Callable[..., None], tenants: tuple[Organization, Organization], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    alice, bob = tenants

    async def steps(world: World) -> None:
        if reason == "its statement is slow":
            await world.call(alice, "slow", "doze")
            monkeypatch.setattr(postgres, "SLOW", 0.01)
        elif reason == "it was never measured":
            world.pool._means.clear()
        first = asyncio.ensure_future(world.call(alice, "first", "doze"))
        if reason == "the first one takes long":
            await asyncio.sleep(0.05)
            monkeypatch.setattr(postgres, "SLOW", 0.02)
            world.pool._means = dict.fromkeys(world.pool._means, 0.0)
        answers = await asyncio.gather(first, world.call(bob, "second"))
        assert [*answers] == [right(alice, "first"), right(bob, "second")]
        assert {before for _, before, _ in world.sent} == {0}

    run(steps)


def test_no_read_is_sent_behind_one_that_is_being_prepared(
    run: Callable[..., None], tenants: tuple[Organization, Organization]
) -> None:
    async def steps(world: World) -> None:
        for connection in world.pool._all:
            connection.pgconn.exit_pipeline_mode()
            connection.pgconn.exec_(b"deallocate all")
            connection.pgconn.enter_pipeline_mode()
            connection.prepared.clear()
        answers = await asyncio.gather(*(world.call(tenant, "n") for tenant in tenants))
        assert answers == [right(tenant, "n") for tenant in tenants]
        assert world.positions() == [0, 0]

    run(steps)


def test_behind_a_pooler_no_connection_is_shared(
    run: Callable[..., None], tenants: tuple[Organization, Organization]
) -> None:
    async def steps(world: World) -> None:
        answers = await asyncio.gather(*(world.call(tenants[n % 2], f"n{n}") for n in range(6)))
        assert answers == [right(tenants[n % 2], f"n{n}") for n in range(6)]
        assert world.positions() == [0] * 6

    run(steps, is_preparing=False)


def test_a_session_with_a_stale_plan_ends_after_its_other_reads(
    run: Callable[..., None],
    database: Database,
    tenants: tuple[Organization, Organization],
) -> None:
    database.sql(
        "create table public.stale (a text); grant usage on schema public to leads_api; "
        "grant select on public.stale to leads_api"
    )
    statement = Statement(b"stale", b"select s.* from public.stale as s")

    async def steps(world: World) -> None:
        pool = world.pool
        for _ in range(2):
            await pool.execute(statement, (), is_read_only=True)
        database.sql("alter table public.stale add b text")
        failing = asyncio.ensure_future(pool.execute(statement, (), is_read_only=True))
        answers = await asyncio.gather(*(world.call(tenant, "n") for tenant in tenants))
        assert answers == [right(tenant, "n") for tenant in tenants]
        result = await failing
        assert result.nfields == 2
        assert world.positions()[-4:-1] == [0, 1, 2]
        assert world.sent[-4][0] not in pool._all

    run(steps)
