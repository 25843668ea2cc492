"""A route that is deprecated says so in each of its responses, and in the reference."""

from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from tests.support.contract import check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

FIELDS = ("deprecation", "sunset", "link")
LINK = "https://leads.example.com/docs#list_leads"
MARKED = (
    "update api.route set deprecated_at = '2027-01-01 01:00:00+01', sunset_at = '2028-02-29 12:00:00Z', "
    f"deprecation_link = '{LINK}' where path in ('/leads', '/leads/export') and method = 'GET'"
)


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A database of its own, because the table of routes is changed."""
    database = new_database()
    database.sql(MARKED)
    # Without a sunset, and without a link.
    database.sql("update api.route set deprecated_at = '2026-07-01Z' where path = '/health'")
    return database


@pytest.fixture(scope="module")
def client(database: Database, server: Server, acme: Organization) -> Iterator[httpx.Client]:
    with server.client(acme.keys["write"]) as client:
        yield client


def fields(response: httpx.Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in response.headers.multi_items() if name in FIELDS]


EXPECTED = [
    ("deprecation", "@1798761600"),
    ("sunset", "Tue, 29 Feb 2028 12:00:00 GMT"),
    ("link", f'<{LINK}>; rel="deprecation"'),
    ("link", f'<{LINK}>; rel="sunset"'),
]


def test_each_response_of_the_route_has_the_headers(client: httpx.Client) -> None:
    assert client.post("/leads", json={"email": "a@example.com"}).status_code == 201
    assert client.post("/leads", json={"email": "b@example.com"}).status_code == 201
    for response, status in (
        (client.get("/leads"), 200),
        (client.head("/leads"), 200),
        (client.get("/leads?limit=x"), 400),
        (client.get("/leads", headers={"Authorization": "Bearer x"}), 401),
        (client.get("/leads/export"), 200),
    ):
        assert response.status_code == status
        assert fields(response) == EXPECTED
    # The link to the next page stays.
    page = client.get("/leads?limit=1")
    assert len(page.json()["data"]) == 1
    links = [value for name, value in fields(page) if name == "link"]
    assert [link.rpartition("rel=")[2] for link in links] == ['"next"', '"deprecation"', '"sunset"']
    assert fields(client.get("/health")) == [("deprecation", "@1782864000")]


def test_other_routes_have_none(client: httpx.Client) -> None:
    created = client.post("/leads", json={"email": "c@example.com"})
    # Another method of the same path, too.
    for response in (created, client.get("/organizations/me"), client.get("/nowhere"), client.delete("/leads")):
        assert fields(response) == []
    check_problem(client.get("/leads/x"), 404, "not_found")


def test_the_reference_marks_it(client: httpx.Client) -> None:
    paths = httpx.get(str(client.base_url.copy_with(path="/openapi.json")), verify=False).json()["paths"]
    marked = {
        (path, method)
        for path, item in paths.items()
        for method, operation in item.items()
        if "deprecated" in operation
    }
    assert marked == {("/leads", "get"), ("/leads/export", "get"), ("/health", "get")}
    operation = paths["/leads"]["get"]
    assert operation["deprecated"] is True
    assert f"Deprecated since 2027-01-01. It may be missing from 2028-02-29 on: {LINK}." in operation["description"]
    assert "Deprecated since 2026-07-01." in paths["/health"]["get"]["description"]
    assert "Deprecated" not in paths["/leads"]["post"]["description"]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ("sunset_at = '2028-01-01Z'", "route_is_deprecated_before_its_sunset"),
        ("deprecated_at = '2028-01-02Z', sunset_at = '2028-01-01Z'", "route_is_deprecated_before_its_sunset"),
        ("deprecation_link = 'ftp://example.com/'", "route_deprecation_link_is_address"),
        ("deprecation_link = 'https://example.com/>; rel=\"next\"'", "route_deprecation_link_is_address"),
        ("deprecation_link = E'https://example.com/\\r\\nX-Evil: 1'", "route_deprecation_link_is_address"),
    ],
)
def test_wrong_values_are_refused(database: Database, values: str, constraint: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        database.sql(f"update api.route set {values} where (method, path) = ('POST', '/leads')")


def test_no_route_is_deprecated_today(new_database: Callable[..., Database]) -> None:
    """docs/versioning.md and CHANGELOG.md must name a route that is."""
    assert not new_database().sql("select from api.route where deprecated_at is not null")
