"""A full NOTIFY queue, which any login can cause, stops no write."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from app import embedded
from app.cli import migrate
from tests.support.contract import check_problem
from tests.support.database import Database, make_organization
from tests.support.process import Server
from tests.support.pushing import wait_for

VISITOR = "test_notifier"


@pytest.fixture
def database() -> Iterator[Database]:
    """A database on a server of its own, because a queue belongs to the whole server."""
    folder = Path(tempfile.mkdtemp(prefix="leads-notify-", dir="/tmp"))
    folder.chmod(0o755)
    options = {"fsync": "off", "max_notify_queue_pages": "64"}
    try:
        with embedded.running(folder / "data", options=options) as server:
            migrate.apply(server.url("leads_migrator"))
            yield Database(server, "leads")
    except embedded.EmbeddedError:
        pytest.skip("Before PostgreSQL 17 the queue has 8 GB.")
    finally:
        shutil.rmtree(folder)


def fill(database: Database) -> None:
    """Fills the queue, as one session that sends. Another one must listen in a transaction."""
    with database.connect() as connection:
        connection.execute(f"create role {VISITOR}; set role {VISITOR}")
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            connection.execute(
                "do $$ begin loop perform pg_notify('filler', repeat('x', 7000)); commit; end loop; end $$"
            )


def usage(database: Database) -> float:
    return float(database.sql("select pg_notification_queue_usage() as usage")[0]["usage"])


def test_writes_do_not_depend_on_the_notify_queue(database: Database, new_server: Callable[..., Server]) -> None:
    acme = make_organization(database)
    connect = "select admin.connect_crm(%s, 'webhook', 'https://crm.example', '{}')"
    database.sql(connect, acme.id, login="leads_operator")
    lead = {"email": "ann@example.com", "pipeline_stage": "qualified"}
    with new_server(database).client(acme.keys["write"]) as client, database.connect() as listener:
        listener.execute("listen filler")
        listener.execute("begin")
        fill(database)
        assert usage(database) > 0.9
        created = client.post("/leads", json=lead)
        assert created.status_code == 201, created.text
        for change in ("pause", "resume", "disconnect"):
            database.sql("select admin.change_crm_connection(%s, %s)", acme.id, change, login="leads_operator")
        database.sql(connect, acme.id, login="leads_operator")
        database.sql("call app.notify('leads_routes')", login="leads_migrator")
        found = database.sql("select subject from admin.findings() where subject = 'notification queue'")
        assert len(found) == 1

        # A program that still sends fails clearly, and nothing is done.
        database.sql("alter procedure app.notify(text) rename to notify_when_possible")
        database.sql(
            "create procedure app.notify(channel text) "
            "language sql as $$ select pg_notify('filler', repeat('x', 7000)) $$;"
            "grant execute on procedure app.notify to public"
        )
        refused = check_problem(client.post("/leads", json=lead), 503, "unavailable")
        assert "Nothing was done" in refused["detail"]
        assert database.sql("select count(*) from app.lead")[0]["count"] == 1
        database.sql("drop procedure app.notify; alter procedure app.notify_when_possible(text) rename to notify")

        # Both sessions are gone. The next write frees the queue, and notifies again.
        pid = listener.info.backend_pid
        listener.close()
        wait_for(lambda: not database.sql("select 1 from pg_stat_activity where pid = %s", pid))
        with suppress(psycopg.Error), database.connect() as waiting:
            waiting.execute("listen leads_work")
            assert client.post("/leads", json=lead).status_code == 201
            assert [one.channel for one in waiting.notifies(timeout=60, stop_after=1)] == ["leads_work"]
    assert usage(database) < 0.1
