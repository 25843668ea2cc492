"""Each push creates exactly one record: with every kind of failed call,
and with each vendor's rules.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.crm.conftest import WAIT
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.pushing import (  # noqa: F401
    Worker,
    api,
    connect,
    ends,
    leads_crm,
    live_organization,
    new_lead,
    organization,
    push,
    state,
    vendor,
    wait_for,
    worker,
)
from tests.support.simulator import KEY, Reply, Seen, Simulator


@pytest.mark.parametrize("way", ["store_then_hang", "store_then_error", "store_then_reset"])
def test_a_record_whose_answer_was_lost_is_found(
    way: str, api: httpx.Client, worker: Worker, vendor: Simulator
) -> None:
    vendor.fail(way, on="create")
    vendor.lag = 0.8
    lead = new_lead(api)
    push(api, lead)
    assert ends(api, lead)["external_id"] == vendor.contacts[0]["jnid"]
    assert len(vendor.contacts) == 1


@pytest.mark.parametrize("way", ["hang", "error", "reset", "429", "429_retry_after", "redirect"])
@pytest.mark.parametrize("on", ["create", "look_up"])
def test_a_call_that_failed_is_made_again(
    way: str, on: str, api: httpx.Client, worker: Worker, vendor: Simulator
) -> None:
    vendor.fail(way, on=on, retry_after=1)
    lead = new_lead(api)
    push(api, lead)
    assert ends(api, lead)["status"] == "ok"
    assert len(vendor.contacts) == 1


def test_a_search_that_lags_more_than_it_should_makes_no_second_record_of_a_name(
    api: httpx.Client, worker: Worker, vendor: Simulator
) -> None:
    """The vendor breaks its rule: a record that it refuses as a duplicate and doesn't show yet
    can be our own.
    """
    vendor.fail("store_then_error", on="create")
    vendor.lag = 9
    lead = new_lead(api)
    push(api, lead)
    assert ends(api, lead)["external_id"] == vendor.contacts[0]["jnid"]
    assert len(vendor.contacts) == 1
    assert len([request for request in vendor.requests if request.method == "POST"]) > 1


def test_two_leads_of_one_person_share_a_record(api: httpx.Client, worker: Worker, vendor: Simulator) -> None:
    vendor.lag = 30
    leads = [new_lead(api, email=email) for email in ("ada.abbott@example.com", "Ada.Abbott@example.com")]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda lead: push(api, lead).json()["crm_sync"], leads)
    assert first["external_id"] == second["external_id"] == vendor.contacts[0]["jnid"]
    assert len(vendor.contacts) == 1


def test_another_persons_record_of_the_same_name_is_never_linked(
    api: httpx.Client, worker: Worker, vendor: Simulator
) -> None:
    first, second = new_lead(api), new_lead(api, email="another.ada@example.com")
    ids = [push(api, lead).json()["crm_sync"]["external_id"] for lead in (first, second)]
    assert len(set(ids)) == 2
    assert [record["display_name"] for record in vendor.contacts] == ["Ada Abbott", f"Ada Abbott ({second[-6:]})"]


def test_an_operator_decides_what_the_search_can_not(
    api: httpx.Client,
    worker: Worker,
    vendor: Simulator,
    database: Database,
    organization: Organization,
) -> None:
    vendor.keeps_external_id = False
    vendor.fail("store_then_error", on="create")
    lead = new_lead(api, email=None, company="Alder Bakery")
    push(api, lead)
    assert ends(api, lead)["status"] == "failed"
    again = push(api, lead)
    assert (again.status_code, again.json()["code"]) == (409, "crm_outcome_unknown")
    record_id = vendor.contacts[0]["jnid"]
    assert len(vendor.contacts) == 1

    option = ("--organization", organization.id)
    queue = json.loads(leads_crm(database, "queue", *option, "--json").stdout)
    assert [(row["lead_id"], row["error_code"]) for row in queue] == [(lead, "outcome_unknown")]
    assert leads_crm(database, "retry", *option).returncode == 2
    assert leads_crm(database, "retry", lead, "--link", record_id, *option).returncode == 0
    assert push(api, lead).json()["crm_sync"]["external_id"] == record_id
    assert len(vendor.contacts) == 1


def test_a_record_that_the_vendor_lacks_is_pushed_again_on_request(
    api: httpx.Client,
    worker: Worker,
    vendor: Simulator,
    database: Database,
    organization: Organization,
) -> None:
    vendor.keeps_external_id = False
    lead, other_lead = (new_lead(api, email=None, company="Alder Bakery") for _ in range(2))
    push(api, other_lead)
    vendor.fail("error", on="create")
    push(api, lead)
    assert ends(api, lead)["status"] == "failed"
    leads_crm(database, "retry", lead, "--organization", organization.id)
    assert ends(api, lead)["status"] == "ok"
    assert len(vendor.contacts) == 2


def test_hubspot_returns_the_id_of_the_existing_contact(
    server: Server, database: Database, worker: Worker, vendor: Simulator
) -> None:
    organization = live_organization(database)
    connect(database, organization, vendor, "hubspot", settle_seconds=1)
    with server.client(organization.keys["write"]) as api:
        lead = new_lead(api)
        vendor.fail("store_then_error", on="create")
        push(api, lead)
        assert ends(api, lead)["external_id"] == vendor.contacts[0]["id"]
        # Without an address, no search can resolve an unknown outcome.
        nameless = new_lead(api, email=None, company="Alder Bakery")
        vendor.fail("error", on="create")
        push(api, nameless)
        assert ends(api, nameless)["status"] == "failed"


def test_hubspot_with_a_unique_property_repeats_without_harm(
    server: Server, database: Database, worker: Worker, vendor: Simulator
) -> None:
    organization = live_organization(database)
    connect(database, organization, vendor, "hubspot", settle_seconds=1, unique_property="leads_api_id")
    with server.client(organization.keys["write"]) as api:
        lead = new_lead(api, email=None, company="Alder Bakery")
        vendor.fail("store_then_error", on="create")
        push(api, lead)
        assert ends(api, lead)["status"] == "ok"
    assert len(vendor.contacts) == 1


def test_a_webhook_is_sent_with_one_id_until_it_is_answered(
    server: Server, database: Database, worker: Worker, vendor: Simulator
) -> None:
    organization = live_organization(database)
    connect(database, organization, vendor, "webhook")
    with server.client(organization.keys["write"]) as api:
        lead = new_lead(api)
        vendor.fail("store_then_error", times=2)
        push(api, lead)
        sync = ends(api, lead)
        whole = api.get(f"/leads/{lead}").json()
        whole |= {"phone": None, "phone_e164": None, "reference": None, "details": {}}
    ids = {request.headers["webhook-id"] for request in vendor.requests}
    assert (ids, len(vendor.requests)) == ({sync["external_id"]}, 3)
    (delivery,) = vendor.deliveries
    assert (delivery["type"], delivery["data"]) == ("lead.pushed", whole)


def test_a_webhook_that_redirects_is_called_once(
    server: Server, database: Database, worker: Worker, vendor: Simulator
) -> None:
    """A Google Apps Script answers 302 after it has done its work."""
    organization = live_organization(database)
    connect(database, organization, vendor, "webhook")
    with server.client(organization.keys["write"]) as api:
        lead = new_lead(api)
        vendor.hook_status, vendor.hook_keeps = 302, True
        answer = push(api, lead)
        assert (answer.status_code, answer.json()["code"]) == (409, "crm_outcome_unknown")
        assert (len(vendor.requests), len(vendor.deliveries)) == (1, 1)
        queue = json.loads(leads_crm(database, "queue", "--organization", organization.id, "--json").stdout)
        assert "Use the final address" in queue[0]["error"]
        # The receiver may have personal data: an erasure must name it.
        kept = "select outcome, sent_at is not null as was_sent from crm.attempt where organization_id = %s"
        assert database.sql(kept, organization.id) == [{"outcome": None, "was_sent": True}]
        vendor.hook_status = 200
        leads_crm(database, "retry", lead, "--organization", organization.id)
        assert ends(api, lead)["external_id"] == vendor.deliveries[0]["id"]
    assert (len(vendor.requests), len(vendor.deliveries)) == (2, 1)


def test_a_webhook_that_is_being_set_up_gets_the_lead_later(
    server: Server, database: Database, worker: Worker, vendor: Simulator
) -> None:
    organization = live_organization(database)
    connect(database, organization, vendor, "webhook")
    with server.client(organization.keys["write"]) as api:
        vendor.hook_status = 404
        lead = new_lead(api, pipeline_stage="qualified")
        wait_for(lambda: len(vendor.requests) > 1)
        assert state(api, lead)["status"] in ("pending", "in_progress")
        vendor.hook_status = 200
        assert ends(api, lead)["status"] == "ok"
    assert len(vendor.deliveries) == 1


def test_a_refused_key_pauses_the_connection_until_it_is_connected_again(
    api: httpx.Client,
    worker: Worker,
    vendor: Simulator,
    database: Database,
    organization: Organization,
) -> None:
    vendor.keys = {"another-key": "sandbox"}
    lead = new_lead(api)
    answer = push(api, lead)
    assert (answer.status_code, answer.json()["code"]) == (502, "crm_rejected")
    listed = json.loads(leads_crm(database, "list", "--organization", organization.id, "--json").stdout)
    assert listed[0]["state"] == "paused"
    assert "401" in listed[0]["fault"]
    # An automatic push is skipped. A requested push waits, and the client doesn't.
    skipped = new_lead(api, name="Bea Barnes", email="bea@example.com", pipeline_stage="qualified")
    assert state(api, skipped)["status"] == "skipped"
    second = push(api, skipped)
    assert (second.status_code, second.elapsed.total_seconds() < WAIT) == (202, True)
    vendor.keys = {KEY: "sandbox"}
    connect(database, organization, vendor, settle_seconds=1)
    assert ends(api, skipped)["status"] == "ok"
    assert leads_crm(database, "retry", "--organization", organization.id).returncode == 0
    assert ends(api, lead)["status"] == "ok"


def test_a_firewall_that_blocks_one_lead_blocks_no_other(
    server: Server, database: Database, worker: Worker, vendor: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply, blocked = vendor._reply, "dot@example.com"

    def behind_a_firewall(seen: Seen) -> Reply:
        if blocked in seen.path or blocked.encode() in seen.content:
            return Reply(403, "<html>Access denied</html>", {"content-type": "text/html", "retry-after": "3600"})
        return reply(seen)

    organization = live_organization(database)
    connect(database, organization, vendor, "hubspot", settle_seconds=1)
    monkeypatch.setattr(vendor, "_reply", behind_a_firewall)
    with server.client(organization.keys["write"]) as api:
        held = new_lead(api, name="Dot", email=blocked, pipeline_stage="qualified")
        wait_for(lambda: any(blocked in seen.path for seen in vendor.requests))
        passed = new_lead(api, pipeline_stage="qualified")
        assert ends(api, passed)["status"] == "ok"
        wait_for(lambda: database.sql("select 1 from crm.sync where lead_id = %s and error is not null", held))
        assert state(api, held)["status"] == "pending"
        queue = json.loads(leads_crm(database, "queue", "--organization", organization.id, "--json").stdout)
        assert [row["error"] for row in queue] == [
            "HubSpot answered 403 with an HTML page, probably a firewall in front of HubSpot"
        ]
        monkeypatch.setattr(vendor, "_reply", reply)
        assert ends(api, held)["status"] == "ok"
    assert len(vendor.contacts) == 2


def test_a_dump_contains_no_usable_credential(organization: Organization, database: Database) -> None:
    rows = database.sql("select c::text as row from crm.connection as c")
    rows += database.sql("select e.payload::text as row from audit.event as e")
    key = KEY.encode()
    for form in (key.decode(), key.hex(), hashlib.sha256(key).hexdigest()):
        assert not any(form in row["row"] for row in rows)
