"""Pushing a lead to a CRM: what a client sees."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.support.database import Database, Organization, make_organization
from tests.support.process import Server
from tests.support.pushing import (  # noqa: F401
    Worker,
    actions,
    api,
    connect,
    ends,
    live_organization,
    new_lead,
    organization,
    push,
    state,
    vendor,
    worker,
)
from tests.support.simulator import KEY, Simulator


def test_a_push_answers_with_the_records_id(api: httpx.Client, worker: Worker, vendor: Simulator) -> None:
    lead = new_lead(api, source="google_ads")
    assert api.get(f"/leads/{lead}/crm-sync").json() == {"id": lead, "crm_sync": None}
    pushed = push(api, lead)
    assert pushed.status_code == 200
    body = pushed.json()
    assert list(body) == ["id", "crm_sync"]
    assert list(body["crm_sync"]) == ["vendor", "external_id", "status", "last_synced_at"]
    (record,) = vendor.contacts
    assert body == {
        "id": lead,
        "crm_sync": body["crm_sync"] | {"vendor": "jobnimbus", "external_id": record["jnid"], "status": "ok"},
    }
    assert (record["display_name"], record["source_name"], record["external_id"]) == ("Ada Abbott", "Google Ads", lead)
    assert api.get(f"/leads/{lead}/crm-sync").json() == body
    assert actions(api, lead) == ["lead.created", "lead.crm_push_requested", "lead.crm_pushed"]


def test_a_repeat_returns_the_same_id_without_a_call(api: httpx.Client, worker: Worker, vendor: Simulator) -> None:
    lead = new_lead(api)
    first = push(api, lead)
    calls = len(vendor.requests)
    assert push(api, lead).json() == first.json()
    assert len(vendor.requests) == calls


def test_50_pushes_at_once_make_one_record(api: httpx.Client, worker: Worker, vendor: Simulator) -> None:
    lead = new_lead(api)
    vendor.latency = 0.2
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: push(api, lead), range(50)))
    assert Counter(answer.status_code for answer in answers) == {200: 50}
    assert len({answer.text for answer in answers}) == 1
    assert len(vendor.contacts) == 1


def test_a_lead_is_pushed_automatically_when_it_enters_the_stage(
    api: httpx.Client, worker: Worker, vendor: Simulator, database: Database
) -> None:
    created = new_lead(api, pipeline_stage="qualified")
    changed = new_lead(api, name="Bea Barnes", email="bea.barnes@example.com")
    typed = new_lead(api, name="Carl Castle", email="carl.castle@example.com")
    assert state(api, changed) is None
    api.patch(f"/leads/{changed}", json={"pipeline_stage": "qualified"})
    assert ends(api, changed)["status"] == "ok"
    database.sql("update app.lead set pipeline_stage = 'qualified' where id = %s", typed)
    for lead in (created, typed):
        assert ends(api, lead)["status"] == "ok"
    assert len(vendor.contacts) == 3


def test_a_push_without_a_connection_is_409(server: Server, database: Database) -> None:
    organization = live_organization(database)
    with server.client(organization.keys["write"]) as api:
        answer = push(api, new_lead(api))
    assert (answer.status_code, answer.json()["code"]) == (409, "crm_not_configured")


def test_a_vendors_refusal_is_502_with_its_message_and_a_push_can_start_again(
    api: httpx.Client, worker: Worker, vendor: Simulator
) -> None:
    lead = new_lead(api)
    vendor.workflows = {"Insurance": ["Lead"]}
    for _ in range(2):
        answer = push(api, lead)
        assert (answer.status_code, answer.json()["code"]) == (502, "crm_rejected")
        assert "JobNimbus" in answer.json()["detail"]
        assert "400" in answer.json()["detail"]
    assert state(api, lead) == {"vendor": "jobnimbus", "external_id": None, "status": "failed", "last_synced_at": None}
    vendor.workflows = {"Customer": ["Lead"]}
    assert push(api, lead).status_code == 200
    assert actions(api, lead) == [
        "lead.created",
        *("lead.crm_push_requested", "lead.crm_push_failed") * 2,
        *("lead.crm_push_requested", "lead.crm_pushed"),
    ]


def test_a_vendor_that_is_down_is_202_and_the_push_continues(
    api: httpx.Client, worker: Worker, vendor: Simulator
) -> None:
    lead = new_lead(api)
    vendor.down()
    answer = push(api, lead)
    assert answer.status_code == 202
    assert 1 <= int(answer.headers["retry-after"]) <= 15
    sync = answer.json()["crm_sync"]
    assert sync == {"vendor": "jobnimbus", "external_id": None, "status": "pending", "last_synced_at": None}
    vendor.up()
    assert ends(api, lead)["status"] == "ok"
    assert actions(api, lead) == ["lead.created", "lead.crm_push_requested", "lead.crm_pushed"]


def test_a_lead_without_a_required_field_is_skipped_and_its_push_refused(
    api: httpx.Client, worker: Worker, vendor: Simulator
) -> None:
    by_itself = api.post("/leads", json={"email": "a@example.com", "pipeline_stage": "qualified"}).json()["id"]
    assert state(api, by_itself)["status"] == "skipped"
    answer = push(api, by_itself)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name")
    api.patch(f"/leads/{by_itself}", json={"name": "Ada Abbott"})
    assert push(api, by_itself).status_code == 200


def test_an_idempotency_key_stores_no_answer(api: httpx.Client, worker: Worker, vendor: Simulator) -> None:
    lead, other_lead = new_lead(api), new_lead(api, name="Bea Barnes", email="bea.barnes@example.com")
    vendor.workflows = {}
    assert push(api, lead, **{"Idempotency-Key": "a-key"}).status_code == 502
    vendor.workflows = {"Customer": ["Lead"]}
    # Computed again, not replayed.
    again = push(api, lead, **{"Idempotency-Key": "a-key"})
    assert (again.status_code, again.headers.get("idempotency-replayed")) == (200, None)
    assert push(api, other_lead, **{"Idempotency-Key": "a-key"}).json()["code"] == "idempotency_key_reused"


def test_another_organizations_lead_is_404(api: httpx.Client, server: Server, database: Database) -> None:
    stranger = live_organization(database, "Stranger Plumbing")
    lead = new_lead(api)
    with server.client(stranger.keys["write"]) as client:
        for answer in (push(client, lead), client.get(f"/leads/{lead}/crm-sync")):
            assert answer.status_code == 404


def test_the_connection_is_shown_to_an_admin_without_its_credential(
    server: Server, organization: Organization, vendor: Simulator
) -> None:
    with server.client(organization.keys["write"]) as api:
        assert api.get("/crm-connections").json()["code"] == "insufficient_scope"
    with server.client(organization.keys["admin"]) as api:
        answer = api.get("/crm-connections")
    (connection,) = answer.json()["data"]
    assert (connection["vendor"], connection["state"], connection["push_stage"]) == ("jobnimbus", "active", "qualified")
    assert "credential" not in answer.text
    assert KEY not in answer.text


def test_a_test_organization_never_reaches_the_network(
    server: Server, database: Database, worker: Worker, vendor: Simulator
) -> None:
    organization = make_organization(database)
    connect(database, organization, vendor)
    with server.client(organization.keys["write"]) as api:
        answer = push(api, new_lead(api))
    assert answer.status_code == 200
    assert answer.json()["crm_sync"]["external_id"].startswith("simulated_")
    assert vendor.requests == []
