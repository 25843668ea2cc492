"""The client against a real server: pages, exports, types of values, errors and signatures."""

import datetime
import importlib
import itertools
import json
import pickle
import tomllib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.support.database import Database, Organization
from tests.support.figures import count_stages
from tests.support.process import Server
from tools.client import SOURCE


@pytest.fixture
def client(sdk: Any, server: Server, new_organization: Callable[..., Organization]) -> Iterator[Any]:
    with sdk.Leads(server.base, new_organization().keys["admin"]) as client:
        yield client


def create(sdk: Any, client: Any, number: int) -> list[Any]:
    body = sdk.models.CreateLeadBody
    return [client.create_lead(body(email=f"{uuid.uuid4().hex}@example.com", source="web")) for _ in range(number)]


def test_each_operation_has_a_typed_method(sdk: Any, database: Database) -> None:
    document = json.loads(database.sql("select api.openapi()", login="leads_api")[0]["openapi"])
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len(operations) > 20
    for operation in operations:
        annotations = getattr(sdk.Leads, operation["operationId"]).__annotations__
        assert annotations.pop("return", Any) is not Any, operation["operationId"]
        assert Any not in annotations.values(), operation["operationId"]


def test_the_pages_of_a_changing_list_have_each_row_once(sdk: Any, client: Any) -> None:
    old = [lead.id for lead in create(sdk, client, 7)]
    seen = []
    for row in client.pages(client.list_leads, source=["web"], limit=2):
        seen.append(row.id)
        create(sdk, client, 1)
        client.update_lead(old[3], sdk.models.LeadInput(name=f"Ada {len(seen)}"))
        if len(seen) == 2:
            client.delete_lead(old[0])  # the last one
    assert seen == old[:0:-1]


def test_pages_work_with_each_list(sdk: Any, client: Any, database: Database) -> None:
    (lead,) = create(sdk, client, 1)
    client.create_signals(lead.id, sdk.models.SignalInput(type_="storm_event", value=True))
    client.score_lead(lead.id)
    form = client.create_form(sdk.models.FormInput(name="Contact page"))
    assert [row.kind for row in client.pages(client.list_scores, lead.id, limit=1)] == ["scored"]
    assert [row.type_ for row in client.pages(client.list_signals, lead.id)] == ["storm_event"]
    assert [row.id for row in client.pages(client.list_forms)] == [form.id]
    events = [row.action for row in client.pages(client.list_audit_events, lead_id=lead.id, limit=1)]
    assert (events[-1], len(events)) == ("lead.created", 3)


def test_the_pages_of_changes_end_with_the_last_sealed_one(sdk: Any, client: Any, database: Database) -> None:
    since = datetime.datetime.now(datetime.UTC)
    leads = create(sdk, client, 5)
    count_stages(database)
    rows = list(client.pages(client.list_leads, updated_since=since, limit=2))
    assert [row.id for row in rows] == [lead.id for lead in leads]
    rows = list(client.pages(client.list_leads, order="updated_at", limit=2))
    assert {row.id for row in rows} == {lead.id for lead in leads}


def test_an_export_yields_typed_rows(sdk: Any, client: Any) -> None:
    name = "A\u2028b\nc"
    details = sdk.models.LeadDetailPatch.from_dict({"roof_age": 12})
    client.create_lead(sdk.models.CreateLeadBody(name=name, email="ada@example.com", details=details))
    (row,) = client.export_leads()
    assert (row.name, row.details["roof_age"]) == (name, 12)
    assert row.created_at.tzinfo is not None
    (event,) = client.export_audit_events(action=["lead.created"])
    assert event.payload.diff.additional_properties["name"].to == name
    client.get_health()
    with pytest.raises(TypeError, match="no headers"):
        client.with_headers(client.export_leads)


def test_a_field_is_unset_null_or_a_value(sdk: Any, client: Any) -> None:
    (lead,) = create(sdk, client, 1)
    change = client.update_lead(lead.id, sdk.models.LeadInput(company=None, name="Ada"))
    assert (change.name, change.source, change.company) == ("Ada", "web", None)
    change = client.update_lead(lead.id, sdk.models.LeadInput(source=None))
    assert (change.name, change.source) == ("Ada", None)
    changed = client.update_lead_details(
        lead.id,
        sdk.models.LeadDetailsInput(details=sdk.models.LeadDetailPatch.from_dict({"age": 3, "color": "red"})),
    )
    assert changed.details.to_dict() == {"age": 3, "color": "red"}
    changed = client.update_lead_details(
        lead.id, sdk.models.LeadDetailsInput(details=sdk.models.LeadDetailPatch.from_dict({"age": None}))
    )
    assert changed.details.to_dict() == {"color": "red"}
    changed = client.update_lead_details(lead.id, sdk.models.LeadDetailsInput(details=None))
    assert changed.details.to_dict() == {}


def test_a_word_of_a_later_version_is_accepted(sdk: Any, client: Any) -> None:
    webhook = client.create_webhook(sdk.models.NewWebhookInput(url="https://example.com", actions=["lead.created"]))
    later = webhook.to_dict() | {"actions": ["lead.teleported"], "state": "resting"}
    assert sdk.models.Webhook.from_dict(later).to_dict() == later


def test_a_reference_may_contain_a_slash(sdk: Any, client: Any) -> None:
    lead = client.put_lead("a/b c", sdk.models.NewLeadInput(email="ada@example.com"))
    assert client.get_lead_details(lead.id).reference == "a/b c"


def test_an_etag_prevents_a_lost_change(sdk: Any, client: Any) -> None:
    (lead,) = create(sdk, client, 1)
    current, headers = client.with_headers(client.get_lead, lead.id)
    assert current.id == lead.id
    client.update_lead(lead.id, sdk.models.LeadInput(lead_score=1), if_match=headers["ETag"])
    with pytest.raises(sdk.LeadsError) as error:
        client.update_lead(lead.id, sdk.models.LeadInput(lead_score=2), if_match=headers["ETag"])
    assert (error.value.status, error.value.code) == (412, "precondition_failed")


def test_an_error_has_what_the_problem_has(sdk: Any, client: Any) -> None:
    with pytest.raises(sdk.LeadsError) as raised:
        client.create_lead(sdk.models.CreateLeadBody(email="x", pipeline_stage="none"))
    error = raised.value
    assert (error.status, error.code, error.retry_after) == (422, "validation_failed", None)
    assert [(fault.field, fault.code) for fault in error.errors] == [
        ("email", "invalid_email"),
        ("pipeline_stage", "unknown_stage"),
    ]
    assert error.request_id
    assert error.detail in str(error)
    assert f"email: {error.errors[0].detail}" in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (vars(copy), str(copy)) == (vars(error), str(error))


def test_the_key_is_in_no_text(sdk: Any, server: Server) -> None:
    key = "lk_test_0123456789abcdef"
    with sdk.Leads(server.base, key) as client, pytest.raises(sdk.LeadsError) as error:
        client.get_health()
    assert error.value.status == 401
    assert key not in f"{client!r}{vars(client)}{error.value!r}{vars(error.value)}"


@pytest.mark.parametrize("suffix", ["", "/", "/api/v1", "/api/v1/"])
def test_an_address_may_end_with_the_version(sdk: Any, server: Server, acme: Organization, suffix: str) -> None:
    with sdk.Leads(server.base + suffix, acme.keys["read"]) as client:
        assert str(client.get_health().organization_id) == acme.id


def test_the_client_names_itself(sdk: Any, server: Server, acme: Organization) -> None:
    with sdk.Leads(server.base, acme.keys["read"]) as client:
        response = client.request("GET", "/health")
    version = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["version"]
    assert response.request.headers["User-Agent"] == f"leads-client/{version}"
    with pytest.raises(RuntimeError, match="closed"):
        client.get_health()


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"type":"lead.created","timestamp":"2026-04-27T13:22:05.114Z","data":{"lead_id":"1"}}'


def signed(body: bytes, at: datetime.datetime) -> dict[str, str]:
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": "v1,AAAA " + Webhook(SECRET).sign("msg_1", at, body.decode()),
    }


def test_a_signature_is_checked(sdk: Any) -> None:
    from leads_client import webhooks  # type: ignore[import-not-found]

    now = datetime.datetime.now(datetime.UTC)
    event = webhooks.verified_event(BODY, httpx.Headers(signed(BODY, now)), SECRET)
    assert (event.id, event.type, event.data) == ("msg_1", "lead.created", {"lead_id": "1"})
    assert event.timestamp == datetime.datetime(2026, 4, 27, 13, 22, 5, 114000, datetime.UTC)
    valid = signed(BODY, now)
    for body, headers in (
        (BODY + b" ", valid),
        (b"\xff", valid),
        (BODY, {}),
        (BODY, valid | {"Webhook-Id": "msg_2"}),
        (BODY, valid | {"Webhook-Signature": "v1"}),
        (BODY, valid | {"Webhook-Signature": "v1,é"}),
        (BODY, signed(BODY, now - datetime.timedelta(minutes=6))),
    ):
        with pytest.raises(webhooks.InvalidSignatureError):
            webhooks.verified_event(body, headers, SECRET)


@pytest.mark.parametrize("content", [b"", b'{"code": "unavail', b"[]", b"null", b"\xff"])
def test_a_problem_that_is_not_one_is_an_error_too(sdk: Any, content: bytes) -> None:
    response = httpx.Response(502, headers={"Content-Type": "application/problem+json"}, content=content)
    error = importlib.import_module("leads_client.errors").error_of(response)
    assert isinstance(error, sdk.LeadsError)
    assert (error.status, error.code, error.detail, error.errors) == (502, "http_502", "Bad Gateway", [])


def test_a_read_has_the_positions_of_the_writes_that_may_be_the_last(sdk: Any) -> None:
    """A thread begins a write before that of another one has ended, so either may be the later one."""
    sent: list[str | None] = []
    numbers = itertools.count(1)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            sent.append(request.headers.get("Leads-Position"))
            return httpx.Response(200)
        number = next(numbers)
        if number < until_number[0]:
            client.request("PATCH", "/x")
        return httpx.Response(412 if number == 1 else 200, headers={"Leads-Position": f"p{number}"})

    until_number = [1]
    with sdk.Leads("http://leads.example", "k", transport=httpx.MockTransport(answer)) as client:
        client.request("GET", "/x")
        with pytest.raises(sdk.LeadsError):
            client.request("PATCH", "/x")
        client.request("GET", "/x")
        client.request("PATCH", "/x")
        client.request("GET", "/x")
        # The third one begins first and ends last.
        until_number[0] = 5
        client.request("PATCH", "/x")
        client.request("GET", "/x")
        client.request("GET", "/x", headers={"Leads-Position": "own"})
        until_number[0] = 15
        client.request("PATCH", "/x")
        client.request("GET", "/x")
    assert sent == [None, "p1", "p2", "p5, p4, p3", "own", "primary, p6"]
