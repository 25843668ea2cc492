"""A session in another time zone: no setting of a login,
a database or a client changes a response.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from app.server.values import array
from tests.support.database import Database, Organization
from tests.support.process import Server

# Settings that a DBA may make for the login.
# With each, PostgreSQL itself prints the same time as another text.
ODD = {"timezone": "Asia/Tokyo", "datestyle": "SQL, DMY", "intervalstyle": "iso_8601", "extra_float_digits": "0"}

QUERIES: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["late", "midnight", "before", "early"]),
    ({"start_at": "2026-03-02"}, ["late", "midnight"]),
    ({"end_at": "2026-03-02"}, ["before", "early"]),
    ({"start_at": "2026-03-01", "end_at": "2026-03-02"}, ["before"]),
    ({"start_at": "2026-03-02T09:00:00+09:00"}, ["late", "midnight"]),
    ({"start_at": "2026-03-01T23:59:59.999Z", "end_at": "2026-03-02T00:00:00.001Z"}, ["midnight", "before"]),
]


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A server whose logins have unusual settings."""
    database = new_database()
    with database.connect() as connection:
        for login in ("leads_api", "postgres"):
            for name, value in ODD.items():
                connection.execute(f"alter role {login} in database {database.name} set {name} = '{value}'".encode())
    (row,) = database.sql(
        "select current_setting('timezone') as zone, '2026-03-01 15:00Z'::timestamptz::text as instant"
    )
    assert row == {"zone": "Asia/Tokyo", "instant": "02/03/2026 00:00:00 JST"}
    return database


@pytest.fixture(scope="module")
def acme(database: Database, new_organization: Callable[..., Organization]) -> Organization:
    """An organization with four leads around a midnight in UTC."""
    organization = new_organization()
    database.sql(
        """insert into app.lead (organization_id, email, created_at)
        select %s, name || '@example.com', instant
        from (values ('early', '2026-02-28T23:59:59.999Z'::timestamptz), ('before', '2026-03-01T23:59:59.999Z'),
          ('midnight', '2026-03-02T00:00:00Z'), ('late', '2026-03-02T15:00:00Z')) as v (name, instant)""",
        organization.id,
    )
    return organization


@pytest.fixture(scope="module")
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client with a key of the scope write."""
    with server.client(acme.keys["write"]) as client:
        yield client


@pytest.mark.parametrize(("query", "names"), QUERIES)
def test_a_range_means_the_same_in_every_time_zone(
    client: httpx.Client, query: dict[str, str], names: list[str]
) -> None:
    page = client.get("/leads", params=query)
    assert [row["email"].split("@")[0] for row in page.json()["data"]] == names
    rows: list[dict[str, Any]] = []
    page = client.get("/leads", params=query | {"limit": "1"})
    while len(rows) <= len(names):
        rows += page.json()["data"]
        if "link" not in page.headers:
            break
        page = client.get(page.links["next"]["url"].removeprefix("/api/v1"))
    assert [row["email"].split("@")[0] for row in rows] == names
    assert all(row["created_at"].endswith("Z") for row in rows)


def call(connection: psycopg.Connection[Any], acme: Organization, expression: str, *values: object) -> Any:
    """The body that a function of the API returns if it is called as the API server does."""
    cursor = connection.execute(
        f"""select (a.r).body::json as body from (
          select {expression} as r from auth.enter(encode(sha256(%s), 'hex'), 'r', 'write', false) offset 0
        ) as a""".encode(),
        [*values, acme.keys["write"].encode()],
    )
    row = cursor.fetchone()
    assert row
    return row["body"]


@pytest.mark.parametrize(("query", "names"), QUERIES)
def test_the_functions_ignore_the_time_zone(
    database: Database, acme: Organization, query: dict[str, str], names: list[str]
) -> None:
    # The API server sets its session's time zone. Only this shows what the functions do without it.
    instants = {name: value if "T" in value else f"{value}T00:00:00Z" for name, value in query.items()}
    named = "".join(f", {name} => %s" for name in instants)
    with database.connect("leads_api") as connection:
        rows: list[dict[str, Any]] = []
        cursor = None
        while len(rows) <= len(names):
            page = call(
                connection, acme, f'api.list_leads("limit" => 1, cursor => %s{named})', cursor, *instants.values()
            )
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert [row["email"].split("@")[0] for row in rows] == names
    assert [row["created_at"] for row in rows if row["email"].startswith("midnight")] in (
        [],
        ["2026-03-02T00:00:00.000Z"],
    )


def test_rows_written_in_another_time_zone_are_read_the_same(
    client: httpx.Client, database: Database, acme: Organization
) -> None:
    with database.connect("leads_api") as connection:
        body = {"email": "a@example.com", "pipeline_stage": "qualified"}
        created = call(connection, acme, "api.create_lead(%s)", json.dumps(body))
    lead = client.get(f"/leads/{created['id']}").json()
    assert (lead["created_at"], lead["updated_at"]) == (created["created_at"], created["updated_at"])
    assert lead["qualification_completed_at"] == created["created_at"]
    event = client.get("/audit-log", params={"lead_id": created["id"]}).json()["data"][0]
    assert event["payload"]["diff"]["qualification_completed_at"]["to"] == created["created_at"]
    database.sql("update app.lead set lead_score = 1 where id = %s", created["id"])
    lead = client.get(f"/leads/{created['id']}").json()
    event = client.get("/audit-log", params={"lead_id": created["id"]}).json()["data"][0]
    assert event["payload"]["role"] == "postgres"
    assert lead["updated_at"].endswith("Z")
    # The trigger writes the expiry of a key from the row as JSON.
    database.sql("update auth.api_key set expires_at = '2030-01-01T00:00:00Z' where organization_id = %s", acme.id)
    event = client.get("/audit-log", params={"action": "api_key.updated"}).json()["data"][0]
    assert event["payload"]["diff"]["expires_at"]["to"] == "2030-01-01T00:00:00.000Z"


def test_an_array_is_passed_unchanged(client: httpx.Client) -> None:
    # No setting of a session changes how it is read.
    assert array(["a", 'b"', "c\\"]) == '{"a","b\\"","c\\\\"}'
    errors = client.get("/leads", params={"source": 'A,b",c\\'}).json()["errors"]
    assert [error["detail"].split(". ")[0] for error in errors] == [
        f'No lead can have the source "{value}"' for value in ("A", 'b"', "c\\")
    ]
