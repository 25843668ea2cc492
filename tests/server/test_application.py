"""A bug in the server is visible to an operator:
in a log line with the traceback, and in /readyz.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from app import background, log
from app.server import application, loading
from app.server.api import Api
from app.server.postgres import Pool
from app.server.request import Scope
from app.server.routes import Match, Table
from app.settings import read
from tests.support.database import Database

SECRET = "a lead's field"


@pytest.fixture(autouse=True)
def flushed() -> Iterator[None]:
    """The log holds lines for a moment, and a loop that has ended writes none."""
    yield
    log.flush()


def errors(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    text = capsys.readouterr().err
    assert SECRET not in text
    return [line for line in map(json.loads, text.splitlines()) if line["level"] == "error"]


def fail(*_: Any, **__: Any) -> Any:
    raise KeyError(SECRET)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """The application between its start and its end."""
    to_app: asyncio.Queue[Scope] = asyncio.Queue()
    from_app: asyncio.Queue[Scope] = asyncio.Queue()
    life = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    assert (await from_app.get())["type"] == "lifespan.startup.complete"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://leads", verify=False) as client:
        yield client
    await to_app.put({"type": "lifespan.shutdown"})
    assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
    await life


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110, because nothing could set an event
            await asyncio.sleep(0.02)


def test_a_bug_while_the_routes_are_read_again_is_logged_and_shown_and_the_old_ones_are_served(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = application.create(read({}), database.url("leads_api"))
    load = loading.load
    monkeypatch.setattr(background, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(background, "STEADY", 0.5)
    monkeypatch.setattr(loading, "load", fail)

    async def watch() -> None:
        async with serving(app) as client:
            answers: list[httpx.Response] = []

            async def is_ok() -> bool:
                answers.append(await client.get("/readyz"))
                return bool(answers[-1].json() == {"status": "ok"})

            async def is_not_ok() -> bool:
                return not await is_ok()

            await wait_until(is_not_ok)
            # The next one could be ok again: until the task fails once more, STEADY may have passed.
            assert (answers[-1].status_code, answers[-1].json()) == (200, {"status": "degraded", "failing": ["routes"]})
            assert (await client.get("/api/v1/leads")).status_code == 401
            monkeypatch.setattr(loading, "load", load)
            await wait_until(is_ok)

    asyncio.run(watch())
    line = errors(capsys)[0]
    assert (line["message"], line["error"]) == ("The task 'routes' failed.", "KeyError")
    assert any("in read_routes: " in frame for frame in line["traceback"])


def test_the_routes_are_also_read_without_a_notification(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    app = application.create(read({}), database.url("leads_api"))
    monkeypatch.setattr(application, "ROUTES_POLL", 0.05)
    reads = 0

    def load(*arguments: Any) -> Table:
        nonlocal reads
        reads += 1
        return Table({})

    monkeypatch.setattr(loading, "load", load)

    async def watch() -> None:
        async with serving(app):

            async def is_read_again() -> bool:
                return reads > 1

            await wait_until(is_read_again)

    asyncio.run(watch())


def test_a_watch_of_the_deadlines_that_fails_is_logged_and_not_ready(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(_: Pool) -> None:
        fail()

    monkeypatch.setattr(Pool, "_watch_deadlines", broken)

    async def watch() -> None:
        async with serving(application.create(read({}), database.url("leads_api"))) as client:

            async def is_unavailable() -> bool:
                return (await client.get("/readyz")).status_code == 503

            await wait_until(is_unavailable)
            assert (await client.get("/readyz")).json() == {"status": "unavailable"}

    asyncio.run(watch())
    assert errors(capsys)[0]["message"] == "The task 'deadlines' failed."


def test_a_bug_while_a_connection_is_opened_again_is_logged_and_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect = Pool._connect

    async def reconnect() -> None:
        pool = Pool(database.url("leads_api"), 1, 8)
        await pool.open()
        has_failed = asyncio.Event()

        def fail_once(_: Pool) -> None:
            monkeypatch.setattr(Pool, "_connect", connect)
            has_failed.set()
            fail()

        monkeypatch.setattr(Pool, "_connect", fail_once)
        (connection,) = pool._all
        connection.lose()
        is_ready = [pool.is_ready]
        async with asyncio.timeout(60):
            await has_failed.wait()
            while not pool.is_ready:  # noqa: ASYNC110, because nothing could set an event
                await asyncio.sleep(0.01)
        await pool.close()
        assert is_ready == [False]

    asyncio.run(reconnect())
    assert errors(capsys)[0]["message"] == "A database connection can't be opened."


def test_a_bug_in_a_request_is_500_and_logged_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    sent: list[Scope] = []

    async def send(message: Scope) -> None:
        sent.append(message)

    async def receive() -> Scope:
        return {"type": "http.request"}

    class BrokenTable(Table):
        def match(self, path: str) -> Match | None:
            raise KeyError(SECRET)

    headers = [(b"x-request-id", b"r-1")]
    scope = {"type": "http", "method": "GET", "path": "/api/v1/x", "query_string": b"", "headers": headers}
    pool = Pool("postgresql:///x", 1, 1)
    asyncio.run(Api(pool, BrokenTable({}))(scope, receive, send))
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["code"] == "internal"
    (line,) = errors(capsys)
    assert (line["message"], line["error"], line["request_id"]) == ("The request failed.", "KeyError", "r-1")
    assert "in _answer: " in line["traceback"][-2]
