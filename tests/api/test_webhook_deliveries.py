"""The deliveries of webhooks: the list, redelivery and tests."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx
import pytest

from tests.support.contract import check_headers, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.webhooks import lease, make_webhook, queue, settle

ACTIONS = ["lead.created", "lead.updated"]


@pytest.fixture
def organization(new_organization: Callable[..., Organization]) -> Organization:
    return new_organization(environment="live")


@pytest.fixture
def client(server: Server, organization: Organization) -> Iterator[httpx.Client]:
    """A client with an admin key."""
    with server.client(organization.keys["admin"]) as client:
        yield client


def test_lists_deliveries_in_pages_and_by_state(
    database: Database, organization: Organization, client: httpx.Client
) -> None:
    path = f"/webhooks/{make_webhook(database, organization, actions=ACTIONS)}/deliveries"
    assert client.get(path).json() == {"data": [], "next_cursor": None}
    leads = [client.post("/leads", json={"email": f"{number}@example.com"}).json()["id"] for number in range(5)]
    queue(database)
    first, second, *_ = lease(database, organization)
    assert settle(database, first, "delivered", 204) == "delivered"
    assert settle(database, second, "failed", 503, "The receiver answered with 503.") == "pending"

    answer = client.get(path)
    check_headers(answer)
    shown = answer.json()["data"]
    assert [delivery["position"] for delivery in shown] == sorted((d["position"] for d in shown), reverse=True)
    assert {delivery["lead_id"] for delivery in shown} == set(leads)
    walked, cursor = [], None
    while True:
        page = client.get(path, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        walked += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == shown
    [delivered] = client.get(path, params={"state": "delivered"}).json()["data"]
    assert (delivered["http_status"], delivered["message"], delivered["attempts"]) == (204, None, 1)
    assert delivered["ended_at"] is not None
    pending = client.get(path, params={"state": "pending"}).json()["data"]
    assert [d["message"] for d in pending if d["http_status"]] == ["The receiver answered with 503."]
    assert client.get(path, params={"state": "failed"}).json()["data"] == []
    check_problem(client.get(path, params={"state": "lost"}), 400, "invalid_parameter", ("state", "unknown_state"))
    check_problem(client.get(f"/webhooks/{uuid4()}/deliveries"), 404, "not_found")


def test_a_delivery_is_delivered_again(database: Database, organization: Organization, client: httpx.Client) -> None:
    webhook = make_webhook(database, organization, actions=ACTIONS)
    client.post("/leads", json={"email": "a@example.com"})
    queue(database)
    [leased] = lease(database, organization)
    settle(database, leased, "delivered")
    path = f"/webhooks/{webhook}/deliveries/{leased['delivery_id']}/redeliver"
    answer = client.post(path)
    assert answer.status_code == 202
    check_headers(answer)
    assert (answer.json()["state"], answer.json()["attempts"]) == ("pending", 1)
    [again] = lease(database, organization)
    assert (again["message_id"], again["body"], again["attempt"]) == (leased["message_id"], leased["body"], 2)
    check_problem(client.post(f"/webhooks/{webhook}/deliveries/{uuid4()}/redeliver"), 404, "not_found")
    other = make_webhook(database, organization)
    check_problem(client.post(path.replace(webhook, other)), 404, "not_found")
    client.patch(f"/webhooks/{webhook}", json={"state": "disabled"})
    check_problem(client.post(path), 409, "webhook_is_disabled")


def test_a_test_is_sent_once(database: Database, organization: Organization, client: httpx.Client) -> None:
    webhook = make_webhook(database, organization, actions=ACTIONS)
    answer = client.post(f"/webhooks/{webhook}/test")
    assert answer.status_code == 202
    check_headers(answer)
    assert (answer.json()["action"], answer.json()["event_id"]) == ("webhook.test", None)
    [leased] = lease(database, organization)
    assert settle(database, leased, "failed", None, "The receiver did not answer.") == "failed"
    [shown] = client.get(f"/webhooks/{webhook}/deliveries").json()["data"]
    assert (shown["id"], shown["state"], shown["message"]) == (
        answer.json()["id"], "failed", "The receiver did not answer.",
    )  # fmt: skip
    check_problem(client.post(f"/webhooks/{uuid4()}/test"), 404, "not_found")


def test_a_test_organization_sends_nothing(
    database: Database, server: Server, new_organization: Callable[..., Organization]
) -> None:
    organization = new_organization()
    webhook = make_webhook(database, organization, actions=ACTIONS)
    with server.client(organization.keys["admin"]) as client:
        client.post("/leads", json={"email": "a@example.com"})
        queue(database)
        test = client.post(f"/webhooks/{webhook}/test").json()
        assert test["state"] == "simulated"
        shown = client.get(f"/webhooks/{webhook}/deliveries").json()["data"]
        assert [delivery["state"] for delivery in shown] == ["simulated"] * 2
        again = client.post(f"/webhooks/{webhook}/deliveries/{shown[1]['id']}/redeliver").json()
        assert again["state"] == "simulated"
    assert lease(database, organization) == []


def test_a_test_and_a_redelivery_wake_the_worker(
    database: Database, organization: Organization, client: httpx.Client
) -> None:
    webhook = make_webhook(database, organization, actions=ACTIONS)
    client.post("/leads", json={"email": "a@example.com"})
    queue(database)
    [leased] = lease(database, organization)
    settle(database, leased, "delivered")
    for path in ("test", f"deliveries/{leased['delivery_id']}/redeliver"):
        with database.connect("leads_worker") as connection:
            connection.execute("listen leads_work")
            assert client.post(f"/webhooks/{webhook}/{path}").status_code == 202
            assert [one.channel for one in connection.notifies(timeout=30, stop_after=1)] == ["leads_work"]
