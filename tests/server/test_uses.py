"""The last uses of keys: what the server's memory has, and what the database gets."""

import asyncio
import hashlib
import json
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app import log
from app.server import uses
from app.server.postgres import Pool
from app.server.uses import KeyUses
from tests.support.database import Database, Organization
from tests.support.keys import new_key
from tests.support.process import PATIENT, Server


def claim(key: str) -> bytes:
    return hashlib.sha256(key.encode()).hexdigest().encode()


def recorded(database: Database, organization: Organization) -> dict[str, datetime]:
    """The last uses of an organization's keys, by their scope."""
    rows = database.sql(
        "select k.scopes[cardinality(k.scopes)] as scope, u.last_used_at from auth.key_use as u "
        "join auth.api_key as k on k.id = u.key_id where u.organization_id = %s",
        organization.id,
    )
    return {row["scope"]: row["last_used_at"] for row in rows}


def with_uses(database: Database, work: Callable[[KeyUses], Awaitable[None]]) -> None:
    """Runs the work with connections to the database."""

    async def run() -> None:
        pool = Pool(database.url("leads_api"), 2, 10)
        await pool.open()
        try:
            await work(KeyUses(pool))
        finally:
            await pool.close()

    asyncio.run(run())


def test_each_last_use_is_recorded_in_batches(
    database: Database, new_organization: Callable[..., Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uses, "BATCH", 2)
    organization = new_organization()

    async def work(key_uses: KeyUses) -> None:
        now = time.perf_counter()
        for ago, key in enumerate((*organization.keys.values(), new_key("live"), new_key("live"))):
            key_uses.started[claim(key)] = now - 100 * ago
        await key_uses.report()
        assert not key_uses.started

    with_uses(database, work)
    last = recorded(database, organization)
    assert set(last) == {"read", "write", "admin"}
    # The database's clock has gone on by the time that a statement takes.
    assert last["read"] - last["write"] < timedelta(seconds=100) + timedelta(milliseconds=2)
    assert last["read"] > last["write"] > last["admin"]


def test_what_the_database_does_not_take_is_kept(
    database: Database, new_organization: Callable[..., Organization], capsys: pytest.CaptureFixture[str]
) -> None:
    organization = new_organization()
    digest = claim(organization.keys["read"])
    log.flush()
    capsys.readouterr()

    async def work(key_uses: KeyUses) -> None:
        with database.connect() as connection, connection.transaction():
            connection.execute("lock table auth.key_use")
            key_uses.started[digest] = earlier = time.perf_counter() - 50
            await key_uses.report()
            assert key_uses.started == {digest: earlier}
            report = asyncio.create_task(key_uses.report())
            await asyncio.sleep(0)
            # A request while the report runs.
            key_uses.started[digest] = later = time.perf_counter()
            await report
            assert key_uses.started == {digest: later}
        await key_uses.report()
        assert not key_uses.started

    with_uses(database, work)
    assert datetime.now(UTC) - recorded(database, organization)["read"] < timedelta(seconds=45)
    log.flush()
    assert not capsys.readouterr().err


def test_a_report_that_fails_is_logged(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    log.flush()
    capsys.readouterr()

    async def work(key_uses: KeyUses) -> None:
        database.sql("revoke execute on function auth.record_key_uses from leads_api")
        try:
            key_uses.started[claim("x")] = time.perf_counter()
            await key_uses.report()
        finally:
            database.sql("grant execute on function auth.record_key_uses to leads_api")
        assert key_uses.started

    with_uses(database, work)
    log.flush()
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["sqlstate"]) == ("The last uses of keys can't be recorded.", "42501")


def test_the_server_records_the_uses_at_its_end(
    database: Database, new_server: Callable[..., Server], new_organization: Callable[..., Organization]
) -> None:
    organization = new_organization()
    # On a busy machine, the report may take longer than 2 seconds.
    server = new_server(database, f"from app.server import uses; uses.LAST_PATIENCE = 60.0\n{PATIENT}")
    started = datetime.now(UTC)
    statuses: list[Any] = []
    for key, path in (
        (organization.keys["read"], "/leads"),
        (organization.keys["write"], "/audit-log/verify"),
        (new_key("live"), "/leads"),
        (None, "/leads"),
    ):
        with server.client(key) as client:
            statuses.append(client.get(path).status_code)
    # A key that lacks the scope is valid, and is used.
    assert statuses == [200, 403, 401, 401]
    before = recorded(database, organization)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(100)
    last = recorded(database, organization)
    assert not before
    assert set(last) == {"read", "write"}
    second = timedelta(seconds=1)
    assert all(started - second < at < datetime.now(UTC) + second for at in last.values())


def test_no_request_waits_for_a_record(
    database: Database, server: Server, new_organization: Callable[..., Organization]
) -> None:
    organization = new_organization()
    with server.client(organization.keys["read"]) as client, database.connect() as connection:
        with connection.transaction():
            connection.execute("lock table auth.key_use")
            assert client.get("/leads").status_code == 200
        with pytest.raises(psycopg.errors.InsufficientPrivilege), database.connect("leads_api") as session:
            session.execute("table auth.key_use")
