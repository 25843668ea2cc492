"""A push request waits for the result. No worker runs here, so each request waits until its time is over."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.crm.conftest import WAIT
from tests.support import pushing
from tests.support.database import Database
from tests.support.process import Server


def busy(database: Database) -> int:
    """The connections of the API server that run a statement or have a transaction open."""
    statement = (
        "select count(*) as n from pg_stat_activity "
        "where datname = %s and usename = 'leads_api' and (state <> 'idle' or xact_start is not null)"
    )
    number: int = database.sql(statement, database.name)[0]["n"]
    return number


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
        pushing.wait_for(lambda: database.sql("select count(*) as n from crm.sync")[0]["n"] == len(leads))
        # The server has 8 connections. A waiting request uses one only for a moment.
        pushing.wait_for(lambda: busy(database) <= 4)
        for _ in range(20):
            assert client.get("/leads?limit=1").status_code == 200
        # So a list waits for none of them. On a busy machine the first ones end before the last ones begin.
        assert sum(not push.done() for push in waiting) >= 100
        answers = [push.result() for push in waiting]
    assert Counter(answer.status_code for answer in answers) == {202: 200}
    assert min(answer.elapsed.total_seconds() for answer in answers) >= WAIT - 1
