"""A push request waits for the result. No worker runs here, so each request waits 10 seconds."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support import pushing
from tests.support.database import Database
from tests.support.process import Server


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A migrated database with the wait that the product has."""
    return new_database()


def test_200_waiting_requests_hold_no_connection(server: Server, database: Database) -> None:
    organization = pushing.live_organization(database)
    connect = "select admin.connect_crm(%s, 'webhook', 'example.com', '{}', 'never read', 'a key')"
    database.sql(connect, organization.id, login="leads_operator")
    leads = database.sql(
        "insert into app.lead (organization_id, name, email) "
        "select %s, 'Lead ' || n, 'lead' || n || '@example.com' from generate_series(1, 200) as n returning id",
        organization.id,
    )
    key = organization.keys["write"]
    with (
        server.client(key, limits=httpx.Limits(max_connections=None)) as many,
        server.client(key) as client,
        ThreadPoolExecutor(200) as pool,
    ):
        waiting = [pool.submit(many.post, f"/leads/{lead['id']}/push-to-crm") for lead in leads]
        time.sleep(3)
        busy = database.sql(
            "select count(*) filter (where state <> 'idle') as busy, "
            "count(*) filter (where xact_start is not null) as open "
            "from pg_stat_activity where datname = %s and usename = 'leads_api'",
            database.name,
        )[0]
        slowest = max(client.get("/leads?limit=1").elapsed.total_seconds() for _ in range(50))
        # On a busy machine the first ones end before the last ones begin.
        assert sum(not push.done() for push in waiting) >= 100
        answers = [push.result() for push in waiting]
    assert Counter(answer.status_code for answer in answers) == {202: 200}
    assert min(answer.elapsed.total_seconds() for answer in answers) >= 9
    # The server has 8 connections. A waiting request uses one only for a moment.
    assert busy["busy"] <= 4
    assert busy["open"] <= 4
    # This is not a measure of speed. It shows that a list did not wait for any of the 200.
    assert slowest < 2
