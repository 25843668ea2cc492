"""Requests that wait for a lock leave the connections to others, and keep the API's guarantees."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from tests.api.test_metrics import scrape, url_in, value
from tests.support.database import Database, Organization
from tests.support.process import PATIENT, Server
from tests.support.pushing import wait_for


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server whose requests wait for a lock as long as a test holds it."""
    return new_server(database, PATIENT, LEADS_METRICS="127.0.0.1:0")


@pytest.fixture(scope="module")
def acme(new_organization: Callable[..., Organization]) -> Organization:
    """The organization whose lead is locked."""
    return new_organization()


@pytest.fixture(scope="module")
def second(database: Database, new_server: Callable[..., Server]) -> Server:
    """Another server on the same database."""
    return new_server(database, PATIENT)


@pytest.fixture
def lead(server: Server, acme: Organization) -> str:
    """The path of a lead."""
    with server.client(acme.keys["write"]) as client:
        location: str = client.post("/leads", json={"email": "a@example.com"}).headers["location"]
    return location.removeprefix("/api/v1")


@contextlib.contextmanager
def locked(database: Database, statement: str, *values: object) -> Iterator[None]:
    """While another transaction holds the statement's lock."""
    with database.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute(statement.encode(), values or None)
        yield


def waiting(database: Database) -> int:
    """The number of the server's sessions that wait for a lock."""
    rows = database.sql(
        "select pid from pg_stat_activity"
        " where datname = %s and application_name = 'leads-api' and wait_event_type = 'Lock'",
        database.name,
    )
    return len(rows)


LEAD = "select from app.lead where id = %s for update"


def test_twelve_clients_on_one_locked_lead_occupy_at_most_a_quarter_of_the_connections(
    server: Server, database: Database, acme: Organization, lead: str, new_organization: Callable[..., Organization]
) -> None:
    stages = ["contacted", "qualified"] * 6
    other = new_organization()

    def queued() -> float:
        """The requests that wait for a lock. They have made their first attempts."""
        return value(scrape(url_in(server.log)), "leads_pool_waiting_requests", reason="lock")

    with (
        server.client(acme.keys["write"]) as client,
        server.client(other.keys["write"]) as neighbour,
        ThreadPoolExecutor(12) as threads,
    ):
        with locked(database, LEAD, lead.removeprefix("/leads/")):
            changes = [threads.submit(client.patch, lead, json={"pipeline_stage": stage}) for stage in stages]
            wait_for(lambda: queued() == len(stages))
            counts: list[int] = []
            while len(counts) < 50 or not any(counts):
                assert neighbour.post("/leads", json={"email": "a@example.com"}).status_code == 201
                # The same key, elsewhere.
                assert client.get("/leads?limit=1").status_code == 200
                counts.append(waiting(database))
            assert not any(change.done() for change in changes)
        # None of them has given up, and each change is made once.
        assert {change.result().status_code for change in changes} == {200}
    assert max(counts) <= 2, counts


def test_a_change_that_waited_still_compares_the_tag(
    server: Server, database: Database, acme: Organization, lead: str
) -> None:
    with server.client(acme.keys["write"]) as client, ThreadPoolExecutor(4) as threads:
        tag = client.get(lead).headers["etag"]
        with locked(database, LEAD, lead.removeprefix("/leads/")):
            changes = [
                threads.submit(client.patch, lead, json={"lead_score": score}, headers={"If-Match": tag})
                for score in (1, 2, 3, 4)
            ]
            wait(changes, 0.3)
            assert not any(change.done() for change in changes)
        assert sorted(change.result().status_code for change in changes) == [200, 412, 412, 412]


@pytest.mark.parametrize("table", ["app.lead", "app.idempotency_key"])
def test_requests_with_one_idempotency_key_that_waited_have_one_effect(
    server: Server, second: Server, database: Database, acme: Organization, table: str
) -> None:
    count = "select id from app.lead where email = %s"
    with (
        server.client(acme.keys["write"]) as client,
        second.client(acme.keys["write"]) as other,
        ThreadPoolExecutor(4) as threads,
    ):
        with locked(database, f"lock table {table} in access exclusive mode"):
            posts = [
                threads.submit(
                    c.post, "/leads", json={"email": f"{table}@example.com"}, headers={"Idempotency-Key": table}
                )
                for c in (client, other, client, other)
            ]
            wait(posts, 0.5)
            assert not any(post.done() for post in posts)
        answers = [post.result() for post in posts]
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(database.sql(count, f"{table}@example.com")) == 1
