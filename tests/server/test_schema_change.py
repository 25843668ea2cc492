"""Statements of the server and of the worker beneath which the schema changes, on a real PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from psycopg.pq.abc import PGresult

from app import schema_change
from app.cli.output import plain_errors
from app.server.postgres import Pool, Statement, StatementFailed, Timing
from app.worker.connection import Connection
from tests.support.database import Database

SCHEMA = """
grant usage on schema public to leads_api, leads_worker;
create table public.change (id integer);
create table public.other (id integer);
grant select on public.change to leads_api, leads_worker;
alter default privileges in schema public grant select on tables to leads_api;
alter default privileges in schema public grant usage on sequences to leads_api;

create function public.wait() returns integer language plpgsql volatile security definer as $$
begin
  -- The test sees the lock.
  perform pg_advisory_xact_lock_shared(1);
  while not exists (select from public.change) loop
    perform pg_sleep(0.01);
  end loop;
  -- The first lock of another table makes the session learn what has changed.
  lock table public.other in access share mode;
  return 1;
end $$;
"""
ADVISORY = """
select 1 from pg_locks as l join pg_database as d on d.oid = l.database
where l.locktype = 'advisory' and d.datname = current_database()
"""
FUNCTION = "create function public.f() returns integer language plpgsql as $$ begin return {}; end $$"
TYPED = """
create domain public.small as integer check (value < 10);
create function public.g(value public.small) returns integer language sql return value::integer
"""


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    """A database with a function that waits until the test has changed the schema."""
    database = new_database()
    database.sql(SCHEMA)
    return database


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses too short to wait for."""
    monkeypatch.setattr(schema_change, "PAUSES", (0.0, 0.0))


def on_pool(database: Database, work: Callable[[Pool], Awaitable[None]], *, is_preparing: bool = True) -> None:
    """Runs the work with a pool of two connections."""

    async def run() -> None:
        pool = Pool(database.url("leads_api"), 2, 8, is_preparing=is_preparing)
        await pool.open()
        try:
            await work(pool)
        finally:
            await pool.close()

    asyncio.run(run())


def value(result: PGresult) -> bytes | None:
    return result.get_value(0, result.nfields - 1)


@pytest.mark.parametrize("is_preparing", [True, False])
@pytest.mark.parametrize(
    ("before", "text", "change"),
    [
        pytest.param(
            FUNCTION.format(1),
            "select public.wait(), public.f()",
            f"drop function public.f() cascade; {FUNCTION.format(2)}",
            id="cache lookup failed for function",
        ),
        pytest.param(
            "create sequence public.s",
            "select public.wait(), nextval('public.s')",
            "drop sequence public.s; create sequence public.s start 2",
            id="could not open relation with OID",
        ),
        pytest.param(
            f"{FUNCTION.format(1)}; create function public.h() returns integer language plpgsql "
            "as $$ begin perform public.wait(); return public.f(); end $$",
            "select public.h()",
            "drop function public.f(); create or replace function public.h() returns integer language sql return 2",
            id="undefined function",
        ),
        pytest.param(
            "create table public.t (n integer); insert into public.t values (1); create function public.h() "
            "returns integer language plpgsql "
            "as $$ begin perform public.wait(); return (select n from public.t); end $$",
            "select public.h()",
            "drop table public.t; create or replace function public.h() returns integer language sql return 2",
            id="undefined table",
        ),
    ],
)
def test_a_statement_beneath_which_the_schema_changes_runs_again(
    database: Database, before: str, text: str, change: str, is_preparing: bool
) -> None:
    database.sql(before)

    async def work(pool: Pool) -> None:
        timing = Timing(runs=[])
        running = asyncio.ensure_future(pool.execute(Statement(b"s", text.encode()), (), timing=timing))
        while not await asyncio.to_thread(database.sql, ADVISORY):
            assert not running.done(), running.exception()
        await asyncio.to_thread(database.sql, f"{change}; insert into public.change values (1)")
        assert value(await running) == b"2"
        assert timing.runs is not None
        assert [run[3] == "" for run in timing.runs] == [False, True]

    on_pool(database, work, is_preparing=is_preparing)


@pytest.mark.parametrize(
    ("before", "text", "arguments", "change"),
    [
        pytest.param(
            TYPED, b"select public.g($1)", (b"2",), f"drop domain public.small cascade; {TYPED}", id="another type"
        ),
        pytest.param(
            "create table public.t as select 2 as n",
            b"select t.* from public.t",
            (),
            "alter table public.t add m integer default 2",
            id="another result",
        ),
    ],
)
def test_a_prepared_statement_that_would_always_fail_is_given_up(
    database: Database, before: str, text: bytes, arguments: tuple[bytes, ...], change: str
) -> None:
    database.sql(before)
    statement = Statement(b"s", text)

    async def work(pool: Pool) -> None:
        for _ in range(2):
            await asyncio.gather(*(pool.execute(statement, arguments) for _ in range(2)))
        database.sql(change)
        states = []
        for _ in range(2):
            timing = Timing(runs=[])
            results = await asyncio.gather(*(pool.execute(statement, arguments, timing=timing) for _ in range(2)))
            assert [value(result) for result in results] == [b"2"] * 2
            states.append({run[3] for run in timing.runs or ()})
            async with asyncio.timeout(60):
                while len(pool._idle) < 2:  # noqa: ASYNC110, because nothing could set an event
                    await asyncio.sleep(0.01)
        assert len(states[0]) == 2
        assert states[1] == {""}

    on_pool(database, work)


def test_an_object_may_be_missing_for_a_moment(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def pauses() -> Iterator[float]:
        yield 0.0
        database.sql(FUNCTION.format(2))
        yield 0.0

    monkeypatch.setattr(schema_change, "PAUSES", pauses())

    async def work(pool: Pool) -> None:
        assert value(await pool.execute(Statement(b"s", b"select public.f()"), ())) == b"2"

    on_pool(database, work)


@pytest.mark.parametrize(
    ("sqlstate", "runs"), [("42883", 3), ("XX000", 3), ("0A000", 1), ("42P05", 1), ("XX001", 1), ("P0001", 1)]
)
def test_an_error_that_stays_is_returned(database: Database, sqlstate: str, runs: int) -> None:
    database.sql(
        "create function public.f() returns integer language plpgsql "
        f"as $$ begin raise sqlstate '{sqlstate}' using message = 'It is broken.'; end $$"
    )

    async def work(pool: Pool) -> None:
        timing = Timing(runs=[])
        with pytest.raises(StatementFailed) as failure:
            await pool.execute(Statement(b"s", b"select public.f()"), (), timing=timing)
        assert failure.value.message == "It is broken."
        assert [run[3] for run in timing.runs or ()] == [sqlstate] * runs

    on_pool(database, work)


@pytest.mark.parametrize(
    ("sqlstate", "says"), [("XX000", "It is broken. If leads migrate ran meanwhile"), ("22012", "It is broken.\n")]
)
def test_a_command_says_that_it_may_run_again(
    database: Database, capsys: pytest.CaptureFixture[str], sqlstate: str, says: str
) -> None:
    with pytest.raises(SystemExit), plain_errors():
        database.sql(f"do $$ begin raise sqlstate '{sqlstate}' using message = 'It is broken'; end $$")
    assert says in capsys.readouterr().err


def test_the_worker_runs_a_function_again(database: Database) -> None:
    def returning(columns: str, values: str) -> str:
        return (
            f"drop function if exists public.f(); create function public.f() returns table ({columns}) "
            f"language sql as $$ select {values} $$"
        )

    database.sql(returning("a integer", "1"))

    async def call(connection: Connection) -> Any:
        (row,) = await connection.call("public.f")
        return row

    async def work() -> None:
        connection = Connection(database.url("leads_worker"))
        for _ in range(10):  # psycopg prepares what runs more often
            assert await call(connection) == (1,)
        database.sql(returning("a integer, b integer", "1, 2"))
        assert (await call(connection)).b == 2
        await connection.close()

    asyncio.run(work())
