"""Webhooks: their settings, their secrets, and who may see them."""

import ipaddress
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app import sealing
from app.worker import guard, vault
from tests.support.contract import check_headers, check_problem
from tests.support.database import WORKER_KEY, Database, Organization
from tests.support.process import Server

URL = "https://hooks.example.com/leads?token=T0ken"
SHOWN = {
    "name": None,
    "url": URL,
    "actions": None,
    "include": "ids",
    "state": "enabled",
    "disabled_reason": None,
    "disabled_at": None,
    "failing_since": None,
    "secret": None,
    "previous_secret_expires_at": None,
}


@pytest.fixture
def organization(new_organization: Callable[..., Organization]) -> Organization:
    return new_organization()


@pytest.fixture
def client(server: Server, organization: Organization) -> Iterator[httpx.Client]:
    """A client with an admin key."""
    with server.client(organization.keys["admin"]) as client:
        yield client


def create(client: httpx.Client, **settings: Any) -> dict[str, Any]:
    response = client.post("/webhooks", json={"url": URL, **settings})
    assert response.status_code == 201, response.text
    webhook: dict[str, Any] = response.json()
    return webhook


def opened(database: Database, id: str, column: str = "secret") -> str:
    """The stored secret, as the worker opens it."""
    [row] = database.sql(f"select {column} as sealed, {column}_key as key from webhook.endpoint where id = %s", id)
    assert row["key"] == vault.key_id(WORKER_KEY)
    return sealing.open(row["sealed"], sealing.private_key_of(WORKER_KEY))


def events(client: httpx.Client) -> list[dict[str, Any]]:
    """The events about webhooks, the oldest first."""
    actions = "webhook.created,webhook.updated,webhook.deleted"
    data: list[dict[str, Any]] = client.get(f"/audit-log?action={actions}").json()["data"]
    return data[::-1]


def test_a_webhook_is_created_shown_changed_and_deleted(client: httpx.Client, organization: Organization) -> None:
    response = client.post("/webhooks", json={"url": URL})
    check_headers(response)
    created = response.json()
    assert response.status_code == 201
    id = created["id"]
    shown = {"id": id, "organization_id": organization.id, **SHOWN}
    assert created.pop("secret").startswith("whsec_")
    assert created.pop("created_at") == created.pop("updated_at")
    assert created == {name: value for name, value in shown.items() if name != "secret"}
    second = create(client, name=" Second ", actions=["lead.erased", "lead.created", "lead.erased"], include="values")
    assert (second["name"], second["actions"], second["include"]) == (
        "Second",
        ["lead.erased", "lead.created"],
        "values",
    )
    listed = client.get("/webhooks").json()
    assert listed["next_cursor"] is None
    assert [webhook["id"] for webhook in listed["data"]] == [id, second["id"]]
    assert {webhook["secret"] for webhook in listed["data"]} == {None}

    response = client.get(f"/webhooks/{id}")
    assert response.json() == listed["data"][0]
    tag = response.headers["etag"]
    assert client.get(f"/webhooks/{id}", headers={"If-None-Match": tag}).status_code == 304
    patch = {"name": "Warehouse", "actions": ["lead.created"], "include": "values", "url": "https://other.example.com"}
    changed = client.patch(f"/webhooks/{id}", json=patch, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in patch} == patch
    assert changed.headers["etag"] == client.get(f"/webhooks/{id}").headers["etag"] != tag
    stale = client.patch(f"/webhooks/{id}", json={"name": "x"}, headers={"If-Match": tag})
    check_problem(stale, 412, "precondition_failed")
    again = client.patch(f"/webhooks/{id}", json={"name": None, "actions": None}).json()
    assert (again["name"], again["actions"]) == (None, None)

    response = client.delete(f"/webhooks/{id}")
    assert (response.status_code, response.json()) == (200, again)
    check_problem(client.get(f"/webhooks/{id}"), 404, "not_found")
    check_problem(client.delete(f"/webhooks/{id}"), 404, "not_found")
    assert [webhook["id"] for webhook in client.get("/webhooks").json()["data"]] == [second["id"]]


def test_a_webhook_is_disabled_and_enabled(client: httpx.Client) -> None:
    id = create(client)["id"]
    disabled = client.patch(f"/webhooks/{id}", json={"state": "disabled"}).json()
    assert (disabled["state"], disabled["disabled_reason"]) == ("disabled", "request")
    assert disabled["disabled_at"] == disabled["updated_at"] or disabled["disabled_at"] is not None
    assert client.patch(f"/webhooks/{id}", json={"state": "disabled"}).json() == disabled
    enabled = client.patch(f"/webhooks/{id}", json={"state": "enabled"}).json()
    assert (enabled["state"], enabled["disabled_reason"], enabled["disabled_at"]) == ("enabled", None, None)


def test_what_was_missed_can_be_skipped(client: httpx.Client, database: Database, organization: Organization) -> None:
    id = create(client)["id"]
    database.sql(
        "insert into webhook.delivery (organization_id, endpoint_id, event_id, event_created_at, position, action, "
        "next_attempt_at) select %s, %s, app.new_id(), now(), n, 'lead.created', now() from generate_series(1, 3) as n",
        organization.id,
        id,
    )
    client.patch(f"/webhooks/{id}", json={"state": "disabled"})
    client.patch(f"/webhooks/{id}", json={"skip_missed": False})
    states = "select state, count(*) from webhook.delivery where endpoint_id = %s group by 1"
    assert database.sql(states, id) == [{"state": "pending", "count": 3}]
    while database.sql("select * from admin.seal_events()"):
        pass
    assert client.patch(f"/webhooks/{id}", json={"state": "enabled", "skip_missed": True}).status_code == 200
    assert database.sql(states, id) == [{"state": "skipped", "count": 3}]
    [row] = database.sql(
        "select p.position, max(s.position) as last from webhook.endpoint as p "
        "join audit.seal as s using (organization_id) where p.id = %s group by p.position",
        id,
    )
    assert row["position"] == row["last"] > 0


def test_the_secret_is_shown_once_and_only_the_worker_can_open_it(client: httpx.Client, database: Database) -> None:
    webhook = create(client)
    secret = webhook["secret"]
    assert opened(database, webhook["id"]) == secret
    response = client.post(f"/webhooks/{webhook['id']}/rotate-secret")
    assert response.status_code == 200
    rotated = response.json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != secret
    assert opened(database, webhook["id"]) == rotated["secret"]
    assert opened(database, webhook["id"], "previous_secret") == secret
    [row] = database.sql(
        "select extract(epoch from previous_expires_at - updated_at)::float as overlap "
        "from webhook.endpoint where id = %s",
        webhook["id"],
    )
    assert row["overlap"] == pytest.approx(24 * 3600, abs=5)
    assert client.get(f"/webhooks/{webhook['id']}").json() == {**rotated, "secret": None}
    overlap = "update webhook.endpoint set previous_expires_at = now() where id = %s"
    database.sql(overlap, webhook["id"])
    assert client.get(f"/webhooks/{webhook['id']}").json()["previous_secret_expires_at"] is None
    ended = client.post(f"/webhooks/{webhook['id']}/rotate-secret", json={"overlap_hours": 0}).json()
    assert ended["previous_secret_expires_at"] is None
    assert database.sql("select previous_secret from webhook.endpoint where id = %s", webhook["id"]) == [
        {"previous_secret": None}
    ]
    for wrong in (-1, 169, "x"):
        response = client.post(f"/webhooks/{webhook['id']}/rotate-secret", json={"overlap_hours": wrong})
        check_problem(response, 422, "validation_failed", ("overlap_hours", "out_of_range"))


def test_an_answer_with_a_secret_is_not_repeated(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "one"}
    first = client.post("/webhooks", json={"url": URL}, headers=headers)
    assert first.status_code == 201
    check_problem(client.post("/webhooks", json={"url": URL}, headers=headers), 409, "secret_already_shown")
    other = client.post("/webhooks", json={"url": URL, "name": "x"}, headers=headers)
    check_problem(other, 422, "idempotency_key_reused")
    path = f"/webhooks/{first.json()['id']}/rotate-secret"
    headers = {"Idempotency-Key": "two"}
    assert client.post(path, headers=headers).status_code == 200
    check_problem(client.post(path, headers=headers), 409, "secret_already_shown")
    assert len(client.get("/webhooks").json()["data"]) == 1
    unknown = f"/webhooks/{client.get('/organizations/me').json()['id']}/rotate-secret"
    check_problem(client.post(unknown, headers={"Idempotency-Key": "three"}), 404, "not_found")


def test_the_audit_log_has_each_change_and_no_secret(client: httpx.Client) -> None:
    webhook = create(client, name="Warehouse")
    id, secret = webhook["id"], webhook["secret"]
    client.patch(f"/webhooks/{id}", json={"url": "https://user-data.example.com/T0ken2", "name": "Warehouse"})
    client.patch(f"/webhooks/{id}", json={"name": "Warehouse"})
    rotated = client.post(f"/webhooks/{id}/rotate-secret").json()["secret"]
    client.delete(f"/webhooks/{id}")
    kept = events(client)
    assert [event["action"] for event in kept] == [
        "webhook.created",
        "webhook.updated",
        "webhook.updated",
        "webhook.deleted",
    ]
    assert {event["payload"]["webhook_id"] for event in kept} == {id}
    diff = kept[0]["payload"]["diff"]
    assert diff["url"] == {"from": None, "to": "https://hooks.example.com"}
    assert set(diff) == {"name", "url", "include", "state", "updated_at"}
    assert set(kept[1]["payload"]["diff"]) == {"url", "updated_at"}
    assert set(kept[2]["payload"]["diff"]) == {"secret", "updated_at"}
    assert len(kept[2]["payload"]["diff"]["secret"]["to"]) == len("\\x01234567")
    text = str(kept)
    assert not [word for word in (secret, rotated, secret[6:], "T0ken", "whsec_") if word in text]


@pytest.mark.parametrize(
    ("settings", "errors"),
    [
        ({}, [("url", "required")]),
        ({"url": None, "include": None}, [("url", "not_nullable"), ("include", "not_nullable")]),
        (
            {"url": 1, "name": True, "include": "all", "actions": "lead.created"},
            [("url", "wrong_type"), ("name", "wrong_type"), ("actions", "wrong_type"), ("include", "unknown_value")],
        ),
        ({"url": URL, "actions": []}, [("actions", "wrong_type")]),
        ({"url": URL, "actions": ["lead.created", 1]}, [("actions", "wrong_type")]),
        ({"url": URL, "actions": ["lead.created", "lead.*"]}, [("actions[1]", "unknown_action")]),
        ({"url": URL, "name": "\u200b"}, [("name", "invalid_text")]),
        ({"url": URL, "name": "x" * 256}, [("name", "invalid_text")]),
        ({"url": URL, "colour": "red", "id": "x"}, [("id", "read_only_field"), ("colour", "unknown_field")]),
        ({"url": URL, "state": "enabled"}, [("state", "unknown_field")]),
        ({"url": URL, "secret": "whsec_mine"}, [("secret", "read_only_field")]),
    ],
)
def test_wrong_settings_are_refused(
    client: httpx.Client, settings: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    check_problem(client.post("/webhooks", json=settings), 422, "validation_failed", *errors)
    assert client.get("/webhooks").json()["data"] == []


def test_wrong_changes_are_refused(client: httpx.Client) -> None:
    id = create(client)["id"]
    before = client.get(f"/webhooks/{id}").json()
    patch = {"url": "http://example.com", "state": "paused", "skip_missed": 1, "created_at": "now"}
    check_problem(
        client.patch(f"/webhooks/{id}", json=patch),
        422,
        "validation_failed",
        ("url", "invalid_url"),
        ("state", "unknown_value"),
        ("created_at", "read_only_field"),
        ("skip_missed", "wrong_type"),
    )
    assert client.get(f"/webhooks/{id}").json() == before


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "HTTPS://Hooks.Example.com:8443/a/b?c=d%20e&f=[g]",
        "https://xn--bcher-kva.example/",
        "https://a_b.example.com./",
        "https://93.184.216.34/",
        "https://[2606:2800:220:1:248:1893:25c8:1946]:443/x",
        "http://localhost:8080/x",
        "http://127.0.0.1:8080/x",
        "https://[::1]/x",
        "https://h.example/" + "x" * 1982,
    ],
)
def test_addresses_that_a_webhook_can_have(client: httpx.Client, url: str) -> None:
    assert create(client, url=url)["url"] == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "such as"),
        ("hooks.example.com", "such as"),
        ("https:///x", "host"),
        ("https://:443/x", "host"),
        ("http://hooks.example.com", "https"),
        ("ftp://hooks.example.com", "https"),
        ("http://localhost.example.com/", "https"),
        ("https://u:p@hooks.example.com", "user"),
        ("https://u@hooks.example.com", "user"),
        ("https://hooks.example.com/#x", "#"),
        ("https://hooks.example.com/#", "#"),
        ("https://hooks.example.com/a b", "ASCII"),
        ("https://hooks.example.com/%zz", "ASCII"),
        ("https://hooks.example.com\\@example.org/", "ASCII"),
        ("https://bücher.example/", "ASCII"),
        ("https://hooks.example.com/\n", "ASCII"),
        ("https://hooks.example.com:0/", "port"),
        ("https://hooks.example.com:65536/", "port"),
        ("https://hooks.example.com:/", "port"),
        ("https://h.example/" + "x" * 1983, "2,000"),
        ("https://intranet/", "full name"),
        ("https://-a.example.com/", "full name"),
        ("https://a..example.com/", "full name"),
        ("https://" + "a" * 64 + ".example.com/", "full name"),
        ("https://[::1", "IP address"),
        ("https://[::1%25eth0]/", "IP address"),
        ("https://1.2.3/", "IP address"),
        ("https://1.2.3.4.5/", "IP address"),
        ("https://1.2.3.256/", "IP address"),
        ("https://0177.0.0.1/", "IP address"),
        ("https://0x7f000001/", "IP address"),
        ("https://2130706433/", "IP address"),
        ("https://10.0.0.1./", "IP address"),
        ("https://10.0.0.1/", "public"),
        ("https://169.254.169.254/latest/meta-data", "public"),
        ("https://[::ffff:10.0.0.1]/", "public"),
        ("https://[64:ff9b::a00:1]/", "public"),
        ("https://[fd00::1]/", "public"),
        ("https://[fe80::1]/", "public"),
        ("https://[::]/", "public"),
    ],
)
def test_addresses_that_no_webhook_can_have(client: httpx.Client, url: str, reason: str) -> None:
    response = client.post("/webhooks", json={"url": url})
    check_problem(response, 422, "validation_failed", ("url", "invalid_url"))
    assert reason in response.json()["errors"][0]["detail"]


def test_the_database_and_the_worker_call_the_same_addresses_public(database: Database) -> None:
    blocks = [f"{first}.{second}.3.4" for first in range(256) for second in (0, 2, 18, 51, 64, 88, 100, 127, 168, 254)]
    addresses = [
        *blocks,
        *("192.0.0.9", "192.0.2.1", "192.88.99.1", "198.51.100.1", "203.0.113.1", "168.63.129.16", "168.63.129.17"),
        *(f"{first:x}::1" for first in range(0, 0x10000, 0x40)),
        *("2001:200::1", "2001:db8::1", "2002::1", "3fff::1", "3fff:1000::1", "2606:4700::1111"),
    ]
    rows = database.sql(
        "select a.address, webhook.host_fault("
        "case when a.address ~ ':' then '[' || a.address || ']' else a.address end) is null as is_accepted "
        "from unnest(%s::text[]) as a (address)",
        addresses,
    )
    differences = [
        row["address"]
        for row in rows
        if row["is_accepted"] != guard.is_public(address := ipaddress.ip_address(row["address"]))
        and not (address.is_loopback and row["is_accepted"])
    ]
    assert differences == []


def test_an_organization_has_at_most_20(client: httpx.Client) -> None:
    ids = [create(client)["id"] for _ in range(20)]
    check_problem(client.post("/webhooks", json={"url": URL}), 409, "too_many_webhooks")
    client.delete(f"/webhooks/{ids[0]}")
    create(client)


def test_requests_at_the_same_time_do_not_exceed_the_number(client: httpx.Client) -> None:
    with ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(lambda _: client.post("/webhooks", json={"url": URL}), range(48)))
    assert sorted({response.status_code for response in responses}) == [201, 409]
    assert len(client.get("/webhooks").json()["data"]) == 20


def test_only_an_admin_key_of_the_organization_reaches_a_webhook(
    server: Server, client: httpx.Client, organization: Organization, new_organization: Callable[..., Organization]
) -> None:
    id = create(client)["id"]
    before = client.get(f"/webhooks/{id}").json()
    requests: list[tuple[str, str, Any]] = [
        ("GET", f"/webhooks/{id}", None),
        ("PATCH", f"/webhooks/{id}", {"name": "mine"}),
        ("DELETE", f"/webhooks/{id}", None),
        ("POST", f"/webhooks/{id}/rotate-secret", None),
    ]
    with server.client(new_organization().keys["admin"]) as stranger:
        for method, path, body in requests:
            check_problem(stranger.request(method, path, json=body), 404, "not_found")
        assert stranger.get("/webhooks").json()["data"] == []
    for scope in ("read", "write"):
        with server.client(organization.keys[scope]) as other:
            for method, path, body in [*requests, ("GET", "/webhooks", None), ("POST", "/webhooks", {"url": URL})]:
                check_problem(other.request(method, path, json=body), 403, "insufficient_scope")
    assert client.get("/webhooks").json()["data"] == [before]


def test_the_erasure_of_an_organization_deletes_its_webhooks(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    id = create(client)["id"]
    database.sql(
        "insert into webhook.delivery (organization_id, endpoint_id, action, next_attempt_at) "
        "values (%s, %s, 'webhook.test', now())",
        organization.id,
        id,
    )
    database.sql(
        "insert into webhook.recipient (organization_id, lead_id, endpoint_id, host, first_at, last_at) "
        "values (%s, %s, %s, 'hooks.example.com', now(), now())",
        organization.id,
        id,
        id,
    )
    while not database.sql("select is_done from admin.erase_organization(%s)", organization.id)[0]["is_done"]:
        pass
    for table in ("endpoint", "delivery", "recipient"):
        assert database.sql(f"select 1 from webhook.{table} where organization_id = %s", organization.id) == []
