"""Access: every route of the route table, with every kind of key, for every kind of id."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.contract import anonymous, check_headers, check_problem
from tests.support.database import Database, Organization, make_key, make_organization
from tests.support.keys import new_key
from tests.support.process import Server

NEVER = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"
MALFORMED = "9f1c8a32-4d65-4e2b-8a91"


@dataclass(frozen=True)
class Case:
    """How a route is requested for an existing record: the status of success, and the request."""

    status: int
    of: str | None = None
    """The kind of record that the id in the path belongs to."""
    json: Any = None


# A new route needs a line here.
CASES = {
    ("GET", "/leads"): Case(200),
    ("POST", "/leads"): Case(201, json={"email": "new@example.com"}),
    ("POST", "/leads/bulk"): Case(200, json=[{"email": "new@example.com"}]),
    # The braces are the reference.
    ("PUT", "/leads/by-reference/{reference}"): Case(200, json={"email": "first@example.com"}),
    ("GET", "/leads/export"): Case(200),
    ("GET", "/leads/{id}"): Case(200, of="lead"),
    ("PATCH", "/leads/{id}"): Case(200, of="lead", json={"timeline": "soon"}),
    ("DELETE", "/leads/{id}"): Case(200, of="erasable"),
    ("GET", "/leads/{id}/details"): Case(200, of="lead"),
    ("PATCH", "/leads/{id}/details"): Case(200, of="lead", json={"phone": "911"}),
    ("GET", "/leads/{id}/everything"): Case(200, of="lead"),
    ("POST", "/leads/{id}/signals"): Case(201, of="lead", json={"type": "storm_event"}),
    ("GET", "/leads/{id}/signals"): Case(200, of="lead"),
    ("POST", "/leads/{id}/score"): Case(200, of="lead"),
    ("GET", "/leads/{id}/scores"): Case(200, of="lead"),
    ("POST", "/leads/{id}/push-to-crm"): Case(202, of="lead"),
    ("GET", "/leads/{id}/crm-sync"): Case(200, of="lead"),
    ("GET", "/crm-connections"): Case(200),
    ("GET", "/forms"): Case(200),
    ("POST", "/forms"): Case(201, json={}),
    ("GET", "/webhooks"): Case(200),
    ("POST", "/webhooks"): Case(201, json={"url": "https://hooks.example.com"}),
    ("GET", "/webhooks/{id}"): Case(200, of="webhook"),
    ("PATCH", "/webhooks/{id}"): Case(200, of="webhook", json={"name": "Warehouse"}),
    ("POST", "/webhooks/{id}/rotate-secret"): Case(200, of="webhook"),
    ("POST", "/webhooks/{id}/test"): Case(202, of="webhook"),
    ("GET", "/webhooks/{id}/deliveries"): Case(200, of="webhook"),
    ("POST", "/webhooks/{id}/deliveries/{delivery_id}/redeliver"): Case(202, of="delivery"),
    ("DELETE", "/webhooks/{id}"): Case(200, of="removable webhook"),
    ("GET", "/keys"): Case(200),
    ("POST", "/keys"): Case(201, json={"scope": "read"}),
    ("DELETE", "/keys/{id}"): Case(200, of="key"),
    ("POST", "/keys/{id}/rotate"): Case(201, of="rotatable", json={}),
    ("GET", "/audit-log"): Case(200),
    ("GET", "/audit-log/export"): Case(200),
    ("GET", "/audit-log/verify"): Case(200),
    ("GET", "/audit-log/{id}"): Case(200, of="event"),
    ("GET", "/health"): Case(200),
    ("GET", "/organizations/me"): Case(200),
}


@dataclass(frozen=True)
class Tenant:
    """An organization with a record of each kind."""

    organization: Organization
    ids: dict[str, str]


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server with one connection, so that the next request uses the same session."""
    return new_server(database, LEADS_CONNECTIONS="1")


@pytest.fixture(scope="module")
def tenants(database: Database, server: Server) -> tuple[Tenant, Tenant]:
    """Two organizations."""

    def make(name: str) -> Tenant:
        organization = make_organization(database, name)
        with server.client(organization.keys["write"]) as client:
            lead = client.post(
                "/leads", json={"name": "A", "email": "first@example.com", "reference": "{reference}"}
            ).json()["id"]
            erasable = client.post("/leads", json={"email": "second@example.com"}).json()["id"]
            event = client.get("/audit-log", params={"lead_id": lead}).json()["data"][0]["id"]
        with server.client(organization.keys["admin"]) as client:
            webhook, removable = (
                client.post("/webhooks", json={"url": "https://hooks.example.com"}).json()["id"] for _ in range(2)
            )
            key, rotatable = (client.post("/keys", json={"scope": "read"}).json()["id"] for _ in range(2))
            delivery = client.post(f"/webhooks/{webhook}/test").json()["id"]
        # Paused, so that no request waits for a push.
        for statement in (
            "select admin.connect_crm(%s, 'jobnimbus', 'default', '{}')",
            "select admin.change_crm_connection(%s, 'pause')",
        ):
            database.sql(statement, organization.id, login="leads_operator")
        ids = {
            "lead": lead,
            "erasable": erasable,
            "event": event,
            "webhook": webhook,
            "removable webhook": removable,
            "key": key,
            "rotatable": rotatable,
            "delivery": f"{webhook} {delivery}",
        }
        return Tenant(organization, ids)

    return make("A"), make("B")


def bad_authorizations(database: Database, organization: Organization) -> Iterator[tuple[str, str | None]]:
    """Authorization headers that are refused, by kind."""
    good = organization.keys["admin"]
    yield "no key", None
    yield "no scheme", good
    yield "another scheme", f"Basic {good}"
    yield "scheme alone", "Bearer"
    yield "a broken key", f"Bearer {good[:-1]}"
    yield "a key in another case", f"Bearer {good.swapcase()}"
    yield "two keys", f"Bearer {good} {good}"
    yield "a NUL's and a quote's escapes", "Bearer %00'\\u0000"
    yield "octets beyond ASCII", "Bearer clé"
    yield "the digest", f"Bearer {secrets.token_hex(32)}"
    yield "an unknown key", f"Bearer {new_key('live')}"
    for verb, change in (("expired", "expires_at = now() - interval '1 second'"), ("revoked", "revoked_at = now()")):
        key = make_key(database, organization.id, "admin")
        with database.connect() as connection:
            connection.execute(
                f"""update auth.api_key set {change}
                where id = (select id from auth.api_key order by created_at desc, id desc limit 1)"""
            )
        yield verb, f"Bearer {key}"


def send(
    client: httpx.Client, method: str, path: str, case: Case, id: str | None, authorization: str | None
) -> httpx.Response:
    """The case's request, with that id and that header."""
    headers = {b"X-Request-Id": b"same"}
    if authorization is not None:
        headers[b"Authorization"] = authorization.encode("latin-1")
    url = path
    if id is not None:
        # A delivery has the id of its webhook before its own.
        first, _, second = id.partition(" ")
        url = path.replace("{id}", first).replace("{delivery_id}", second or first)
    content = None if case.json is None else json.dumps(case.json)
    if content is not None:
        headers[b"Content-Type"] = b"application/json"
    return client.request(method, url, content=content, headers=headers)


def written(database: Database) -> list[dict[str, Any]]:
    """A number that any write would change."""
    return database.sql("select (select count(*) from app.lead) as leads, (select count(*) from audit.event) as events")


@pytest.fixture(scope="module")
def routes(database: Database) -> dict[tuple[str, str], str | None]:
    """The scope of each route of the route table. test_forms.py has those with the key in the path."""
    rows = database.sql("select * from api.route where key_parameter is null")
    return {(row["method"], row["path"]): row["scope"] for row in rows}


def test_each_route_of_the_route_table_has_a_case(routes: dict[tuple[str, str], str | None]) -> None:
    assert set(CASES) == set(routes)
    assert all((case.of is not None) == ("{id}" in path) for (_, path), case in CASES.items())


def test_every_route_without_a_valid_key_returns_401_without_the_reason(
    server: Server, database: Database, tenants: tuple[Tenant, Tenant], routes: dict[tuple[str, str], str | None]
) -> None:
    ours, theirs = tenants
    bad = list(bad_authorizations(database, ours.organization))
    before = written(database)
    answers = set()
    with server.client() as client:
        for (method, path), case in CASES.items():
            for kind, authorization in bad:
                for id in ids_of(case, ours, theirs):
                    response = send(client, method, path, case, id, authorization)
                    check_problem(response, 401, "unauthorized")
                    assert response.headers["www-authenticate"] == "Bearer", (method, path, kind)
                    answers.add(response.content)
    assert len(answers) == 1
    assert written(database) == before
    assert all(scope is not None for scope in routes.values())


def ids_of(case: Case, ours: Tenant, theirs: Tenant) -> list[str | None]:
    """The organization's own id, the other's, an unknown and a malformed one;
    none for a path without an id.
    """
    return [None] if case.of is None else [ours.ids[case.of], theirs.ids[case.of], NEVER, MALFORMED]


def test_a_response_names_the_missing_scope(
    server: Server, database: Database, tenants: tuple[Tenant, Tenant], routes: dict[tuple[str, str], str | None]
) -> None:
    ours, theirs = tenants
    before = written(database)
    refused = 0
    with server.client() as client:
        for (method, path), case in CASES.items():
            if routes[method, path] == "read":
                continue
            for id in ids_of(case, ours, theirs):
                response = send(client, method, path, case, id, f"Bearer {ours.organization.keys['read']}")
                problem = check_problem(response, 403, "insufficient_scope")
                assert f'"{routes[method, path]}"' in problem["detail"]
                refused += 1
    assert refused >= 5
    assert written(database) == before


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_another_organizations_record_looks_like_one_that_does_not_exist(
    server: Server,
    tenants: tuple[Tenant, Tenant],
    routes: dict[tuple[str, str], str | None],
    scope: str,
) -> None:
    levels = ["read", "write", "admin"]
    with server.client() as client:
        for ours, theirs in (tenants, tenants[::-1]):
            authorization = f"Bearer {ours.organization.keys[scope]}"
            for (method, path), case in CASES.items():
                if levels.index(routes[method, path] or "read") > levels.index(scope):
                    continue
                own, *others = (
                    send(client, method, path, case, id, authorization) for id in ids_of(case, ours, theirs)
                )
                assert own.status_code == case.status, own.text
                check_headers(own)
                assert theirs.organization.id not in own.text
                if not others:
                    continue
                for answer in others:
                    check_problem(answer, 404, "not_found")
                assert len({(repr(anonymous(answer)), answer.content) for answer in others}) == 1


def test_a_page_contains_only_the_organizations_records(server: Server, tenants: tuple[Tenant, Tenant]) -> None:
    for ours, theirs in (tenants, tenants[::-1]):
        with server.client(ours.organization.keys["read"]) as client:
            for path in ("/leads", "/audit-log"):
                rows = client.get(path, params={"limit": 200}).json()["data"]
                assert rows
                assert {row["organization_id"] for row in rows} == {ours.organization.id}
            rows = client.get("/audit-log", params={"lead_id": theirs.ids["lead"]}).json()
            assert rows == {"data": [], "next_cursor": None}
            assert client.get("/organizations/me").json()["id"] == ours.organization.id


def test_the_scheme_is_case_insensitive(server: Server, tenants: tuple[Tenant, Tenant]) -> None:
    key = tenants[0].organization.keys["read"]
    with server.client() as client:
        for authorization in (f"bearer {key}", f"BEARER {key}", f"Bearer  {key}"):
            assert client.get("/health", headers={"Authorization": authorization}).status_code == 200


def test_a_key_works_from_its_creation_until_it_ends(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    acme = new_organization()
    key = make_key(database, acme.id, "read")
    with server.client(key) as client:
        assert client.get("/health").json()["scopes"] == ["read"]
        database.sql(
            "update auth.api_key set expires_at = now() + interval '1 hour' where organization_id = %s", acme.id
        )
        assert client.get("/health").status_code == 200
        database.sql("update auth.api_key set revoked_at = now() where organization_id = %s", acme.id)
        check_problem(client.get("/health"), 401, "unauthorized")


def test_a_request_leaves_nothing_on_the_connection_for_the_next(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    ours, theirs = new_organization(), new_organization()
    with server.client() as client:
        for _ in range(3):
            for organization in (ours, theirs):
                answer = client.get("/health", headers={"Authorization": f"Bearer {organization.keys['read']}"})
                assert answer.json()["organization_id"] == organization.id
            check_problem(client.get("/health"), 401, "unauthorized")
            answer = client.patch(
                f"/leads/{NEVER}", json={}, headers={"Authorization": f"Bearer {theirs.keys['read']}"}
            )
            check_problem(answer, 403, "insufficient_scope")
        # A request that only reads leaves the connection able to write.
        answer = client.post(
            "/leads", json={"email": "a@example.com"}, headers={"Authorization": f"Bearer {ours.keys['write']}"}
        )
        assert answer.json()["organization_id"] == ours.id
