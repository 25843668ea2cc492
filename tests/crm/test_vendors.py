import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType, SimpleNamespace
from typing import Any, TypeVar

import pytest
from standardwebhooks import Webhook

from app.worker import calls
from app.worker.vendors import (
    Account,
    Blocked,
    CallFailed,
    Contact,
    Duplicate,
    NotMade,
    NotYet,
    OutcomeUnknown,
    Record,
    Redirected,
    Refused,
    Sent,
    Unauthorized,
    Unclear,
    Vendor,
    hubspot,
    jobnimbus,
    typed,
    webhook,
)
from app.worker.vendors.known import VENDORS
from tests.support import simulator
from tests.support.pushing import wait_for
from tests.support.simulator import KEY, SECRET, WAYS, Simulator

T = TypeVar("T")
LEAD_ID = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"
JANE = Contact(
    lead_id=LEAD_ID,
    sync_id="1b671a64-40d5-491e-99b0-da01ff1f3341",
    display_name="Jane van Doe",
    name="Jane van Doe",
    company="Doe Roofing",
    email="Jane@example.com",
    source="google_ads",
    description="Score 87.",
    lead={"id": LEAD_ID, "name": "Jané van Doe", "score": 87, "phone": "(555) 010-0199", "phone_e164": "+15550100199"},
)
ACME = Contact(LEAD_ID, "s", "Acme", None, "Acme", None, "fair", "Score 3.", {})
SETTINGS: dict[str, dict[str, str]] = {
    "jobnimbus": {"record_type_name": "Customer", "status_name": "Lead", "source_names": "google_ads=Google Ads"},
    "hubspot": {},
    "webhook": {},
}


@pytest.fixture
def vendor() -> Iterator[Simulator]:
    with simulator.running() as running:
        yield running


def ask(
    server: Simulator,
    name: str,
    call: Callable[[Vendor], Awaitable[T]],
    *,
    seconds: float = 60,
    credential: str | None = None,
    heard: list[Sent | None] | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> T:
    """The result of a call to the vendor, with a connection as an operator creates it."""
    kind = VENDORS[name]
    typed_in = {**SETTINGS[name], **settings}
    if name == "webhook":
        typed_in.setdefault("url", f"{server.url}/hook")
    else:
        typed_in["base_url"] = server.url + ("/api1/" if name == "jobnimbus" else "")
    parsed = json.loads(json.dumps({key: kind.settings[key].parse(text) for key, text in typed_in.items()}))

    async def before(makes: Sent | None) -> float:
        if heard is not None:
            heard.append(makes)
        return asyncio.get_running_loop().time() + seconds

    async def run() -> T:
        async with calls.client(allow_loopback=True) as client:
            secret = kind.parse_credential(credential or (SECRET if name == "webhook" else KEY))
            return await call(kind.of(client, parsed, secret, before))

    return asyncio.run(run())


def create(contact: Contact) -> Callable[[Vendor], Awaitable[Record]]:
    return lambda vendor: vendor.create(contact, contact.display_name)


async def everything(vendor: Vendor) -> list[Record]:
    return [record async for record in vendor.records()]


# every vendor


def test_each_vendor_requires_its_settings() -> None:
    required = {
        name: {key for key, setting in kind.settings.items() if setting.is_required} for name, kind in VENDORS.items()
    }
    assert required == {"jobnimbus": {"record_type_name", "status_name"}, "hubspot": set(), "webhook": {"url"}}


@pytest.mark.parametrize(
    ("name", "settings", "is_so"),
    [
        ("jobnimbus", {}, False),
        ("hubspot", {}, False),
        ("hubspot", {"unique_property": "leads_api_id"}, True),
        ("webhook", {}, True),
    ],
)
def test_a_vendor_that_creates_once_creates_one_record(
    vendor: Simulator, name: str, settings: dict[str, str], is_so: bool
) -> None:
    async def creates_once(vendor: Vendor) -> bool:
        return vendor.creates_once

    assert ask(vendor, name, creates_once, settings=settings) is is_so
    if is_so:
        first, second = (ask(vendor, name, create(ACME), settings=settings) for _ in range(2))
        assert first.id == second.id
        assert len(vendor.contacts) + len(vendor.deliveries) == 1


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("kind", [kind for kind in WAYS if not kind.startswith(("429", "redirect"))])
def test_a_lost_answer_to_create_leaves_the_outcome_unknown(vendor: Simulator, name: str, kind: str) -> None:
    vendor.fail(kind, on="create")
    with pytest.raises(OutcomeUnknown):
        ask(vendor, name, create(JANE), seconds=1 if kind.endswith("hang") else 60)
    assert len(vendor.contacts) + len(vendor.deliveries) == kind.startswith("store")


@pytest.mark.parametrize(
    ("name", "body", "error"),
    [
        ("jobnimbus", {"message": "No permission"}, Unauthorized),
        ("hubspot", {"status": "error", "message": "No scope", "category": "MISSING_SCOPES"}, Unauthorized),
        ("hubspot", {"status": "error", "message": "This oauth-token does not have permissions!"}, Unauthorized),
        ("jobnimbus", {"title": "Error 1020: Access denied", "status": 403}, Blocked),
        ("jobnimbus", "<html>Attention Required!</html>", Blocked),
        ("hubspot", {"title": "Error 1020: Access denied", "status": 403}, Blocked),
        ("hubspot", {"message": "Forbidden"}, Blocked),
        ("hubspot", "<html>Attention Required!</html>", Blocked),
        ("webhook", "<html>Attention Required!</html>", Blocked),
        ("webhook", {"message": "Forbidden"}, Blocked),
        ("webhook", "Forbidden", Blocked),
    ],
)
def test_only_the_vendor_itself_refuses_the_key(
    vendor: Simulator, monkeypatch: pytest.MonkeyPatch, name: str, body: Any, error: type[CallFailed]
) -> None:
    monkeypatch.setattr(vendor, "_reply", lambda _: simulator.Reply(403, body))
    with pytest.raises(CallFailed) as raised:
        ask(vendor, name, create(JANE))
    assert type(raised.value) is error


@pytest.mark.parametrize("name", ["jobnimbus", "hubspot"])
@pytest.mark.parametrize("kind", ["hang", "error", "reset", "429"])
def test_a_search_is_repeatable_after_a_lost_answer(vendor: Simulator, name: str, kind: str) -> None:
    vendor.fail(kind)
    with pytest.raises(NotMade):
        ask(
            vendor, name, lambda adapter: adapter.find_by_email("jane@example.com"), seconds=1 if kind == "hang" else 60
        )
    assert ask(vendor, name, lambda adapter: adapter.find_by_email("jane@example.com")) == []


@pytest.mark.parametrize("name", VENDORS)
def test_each_call_is_announced(vendor: Simulator, name: str) -> None:
    heard: list[Sent | None] = []
    ask(vendor, name, create(JANE), heard=heard)
    assert heard == [Sent("Jane@example.com", "Jane van Doe")]
    heard.clear()
    ask(vendor, name, lambda adapter: adapter.find_by_email("jane@example.com"), heard=heard)
    assert heard == ([] if name == "webhook" else [None])


@pytest.mark.parametrize("name", ["jobnimbus", "hubspot"])
def test_a_wrong_key_is_refused(vendor: Simulator, name: str) -> None:
    for call in (create(JANE), lambda adapter: adapter.verify()):
        with pytest.raises(Unauthorized) as raised:
            ask(vendor, name, call, credential="key-of-nobody")
        assert "key-of-nobody" not in str(raised.value)


# JobNimbus


def test_jobnimbus_receives_the_leads_fields(vendor: Simulator) -> None:
    creation = ask(vendor, "jobnimbus", create(JANE))
    (request,) = vendor.requests
    assert (request.method, request.path, request.query) == ("POST", "/api1/contacts", {})
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "record_type_name": "Customer",
        "status_name": "Lead",
        "source_name": "Google Ads",
        "first_name": "Jane van",
        "last_name": "Doe",
        "display_name": "Jane van Doe",
        "company": "Doe Roofing",
        "email": "Jane@example.com",
        "home_phone": "+15550100199",
        "description": "Score 87.",
        "external_id": LEAD_ID,
    }
    (stored,) = vendor.contacts
    assert creation == Record(stored["jnid"], "Jane@example.com", "Jane van Doe", LEAD_ID, is_new=True)


def test_jobnimbus_does_not_receive_empty_fields(vendor: Simulator) -> None:
    ask(vendor, "jobnimbus", create(ACME))
    assert vendor.requests[0].body == {
        "record_type_name": "Customer",
        "status_name": "Lead",
        "display_name": "Acme",
        "company": "Acme",
        "description": "Score 3.",
        "external_id": LEAD_ID,
    }


@pytest.mark.parametrize(
    ("name", "first", "last"), [("Cher", "Cher", None), (" Cher", "Cher", None), ("Jane  Doe", "Jane", "Doe")]
)
def test_a_name_is_split_at_its_last_space(vendor: Simulator, name: str, first: str, last: str | None) -> None:
    contact = Contact(LEAD_ID, "s", name, name, None, "jane@example.com", None, "", {})
    ask(vendor, "jobnimbus", create(contact))
    ask(vendor, "hubspot", create(contact))
    jobnimbus, hubspot = (request.body for request in vendor.requests)
    assert (jobnimbus["first_name"], jobnimbus.get("last_name")) == (first, last)
    assert (hubspot["properties"]["firstname"], hubspot["properties"].get("lastname")) == (first, last)


def test_jobnimbus_accepts_a_name_once(vendor: Simulator) -> None:
    ask(vendor, "jobnimbus", create(JANE))
    with pytest.raises(Duplicate, match=r"^JobNimbus answered 400: Duplicate contact exists$"):
        ask(vendor, "jobnimbus", lambda adapter: adapter.create(JANE, "JANE VAN DOE"))
    assert ask(vendor, "jobnimbus", lambda adapter: adapter.create(JANE, "Jane van Doe (9f1c8a32)")).is_new


def test_jobnimbus_refuses_a_wrong_setting(vendor: Simulator) -> None:
    with pytest.raises(Refused, match="JobNimbus answered 400: Invalid status_name") as raised:
        ask(vendor, "jobnimbus", create(JANE), settings={"status_name": "Prospect"})
    assert type(raised.value) is Refused


def test_jobnimbus_is_searched_for_an_address_in_both_spellings(vendor: Simulator) -> None:
    assert ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_email("Jane@example.com")) == []
    assert [request.query for request in vendor.requests] == [
        {
            "filter": f'{{"must":[{{"term":{{"email":"{email}"}}}}]}}',
            "fields": "jnid,display_name,email,external_id,date_created",
            "sort_field": "date_created",
            "sort_direction": "asc",
            "size": "100",
        }
        for email in ("Jane@example.com", "jane@example.com")
    ]
    vendor.requests.clear()
    ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_email("jane@example.com"))
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("stored", ["Jane@example.com", "jane@example.com"])
def test_jobnimbus_finds_an_address_in_either_spelling(vendor: Simulator, stored: str) -> None:
    vendor.keeps_external_id = False
    creation = ask(vendor, "jobnimbus", create(Contact(LEAD_ID, "s", "Jane", "Jane", None, stored, None, "", {})))
    assert ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_email("Jane@example.com")) == [
        Record(creation.id, stored, "Jane", None)
    ]


def test_jobnimbus_finds_a_name(vendor: Simulator) -> None:
    creation = ask(vendor, "jobnimbus", create(JANE))
    records = ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_name("Jane van Doe"))
    assert records == [Record(creation.id, "Jane@example.com", "Jane van Doe", LEAD_ID)]
    assert ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_name("Jane")) == []


def test_jobnimbus_finds_a_new_record_after_a_delay(vendor: Simulator) -> None:
    vendor.lag = 3600
    ask(vendor, "jobnimbus", create(JANE))
    assert ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_name("Jane van Doe")) == []
    with pytest.raises(Duplicate):
        ask(vendor, "jobnimbus", create(JANE))
    vendor.lag = 0
    assert len(ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_name("Jane van Doe")) or ()) == 1


def test_jobnimbus_has_a_limit(vendor: Simulator) -> None:
    vendor.limit = 0
    with pytest.raises(NotMade, match="JobNimbus answered 429"):
        ask(vendor, "jobnimbus", create(JANE))


@pytest.mark.parametrize(
    ("settings", "faults"),
    [
        ({}, ()),
        (
            {"record_type_name": "Client"},
            ("record_type_name is Client, which is no contact workflow of the account: it has Customer.",),
        ),
        (
            {"status_name": "New"},
            ("status_name is New, which is no status of the workflow Customer of the account: it has Lead, Sold.",),
        ),
    ],
)
def test_jobnimbus_verifies_the_settings(vendor: Simulator, settings: dict[str, str], faults: tuple[str, ...]) -> None:
    assert ask(vendor, "jobnimbus", lambda adapter: adapter.verify(), settings=settings) == Account(None, faults)


@pytest.mark.parametrize(
    "account", [None, [], {}, {"workflows": []}, {"workflows": [1]}, {"workflows": [{"name": "A", "status": {"x": 1}}]}]
)
def test_an_account_in_another_form_has_no_faults(account: Any) -> None:
    assert jobnimbus._faults(account, "Customer", "Lead") == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"results": []}', '{"count": 0}', '{"count": 1, "results": [{}]}'),
        *('{"count": 1, "results": [{"jnid": 7}]}', '{"count": 1, "results": [null]}'),
    ],
)
def test_a_search_result_in_another_form_is_an_error(text: str) -> None:
    with pytest.raises(NotMade):
        jobnimbus._results(calls.Answer("JobNimbus", 200, text))


@pytest.mark.parametrize("name", ["jobnimbus", "hubspot"])
@pytest.mark.parametrize("body", ["ok", {}, {"jnid": "", "id": 7}, [], {"message": "already exists. Existing ID: 9"}])
def test_a_2xx_without_an_id_leaves_the_outcome_unknown(
    vendor: Simulator, name: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "_reply", lambda request: simulator.Reply(200, body))
    with pytest.raises(OutcomeUnknown, match="answered 200 without"):
        ask(vendor, name, create(JANE))


def test_jobnimbus_returns_all_its_records(vendor: Simulator) -> None:
    def stored(number: int, created: int) -> dict[str, Any]:
        shown = {"jnid": f"jn_{number:05}", "display_name": f"N {number}", "email": None, "date_created": created}
        return {**shown, "_account": "sandbox", "_at": 0.0}

    # more records than a search returns, and more than a page in one second
    vendor._stored += [stored(number, 1_700_000_000 + number // 3) for number in range(10_500)]
    vendor._stored += [stored(number, 1_800_000_000) for number in range(10_500, 12_700)]
    records = ask(vendor, "jobnimbus", everything)
    assert sorted(record.id for record in records) == [f"jn_{number:05}" for number in range(12_700)]


# HubSpot


def test_hubspot_receives_the_leads_fields(vendor: Simulator) -> None:
    creation = ask(vendor, "hubspot", create(JANE))
    (request,) = vendor.requests
    assert (request.method, request.path) == ("POST", "/crm/v3/objects/contacts")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    properties = {"email": "Jane@example.com", "firstname": "Jane van", "lastname": "Doe", "company": "Doe Roofing"}
    assert request.body == {"properties": {**properties, "phone": "+15550100199", "lifecyclestage": "lead"}}
    assert creation == Record("1000", "Jane@example.com", is_new=True)


def test_hubspot_receives_the_leads_fields_with_a_unique_property(vendor: Simulator) -> None:
    settings = {"unique_property": "leads_api_id", "path_prefix": "/crm/objects/2026-03"}
    assert ask(vendor, "hubspot", create(JANE), settings=settings) == Record("1000", "Jane@example.com", is_new=True)
    (request,) = vendor.requests
    assert (request.method, request.path) == ("POST", "/crm/objects/2026-03/contacts/batch/upsert")
    (sent_input,) = request.body["inputs"]
    assert (sent_input["id"], sent_input["idProperty"], sent_input["properties"]["leads_api_id"]) == (
        LEAD_ID,
        "leads_api_id",
        LEAD_ID,
    )
    assert sent_input["properties"]["firstname"] == "Jane van"
    assert ask(vendor, "hubspot", create(JANE), settings=settings) == Record("1000", "Jane@example.com", is_new=False)
    (record,) = ask(vendor, "hubspot", lambda adapter: adapter.find_by_email("Jane@example.com"), settings=settings)
    assert record.external_id == LEAD_ID


def test_hubspot_knows_a_company_by_its_name(vendor: Simulator) -> None:
    ask(vendor, "hubspot", create(ACME))
    assert vendor.requests[0].body["properties"] == {"firstname": "Acme", "company": "Acme", "lifecyclestage": "lead"}


@pytest.mark.parametrize("settings", [{}, {"unique_property": "leads_api_id"}])
@pytest.mark.parametrize("status", [409, 400, 207])
def test_hubspots_existing_record_of_an_address_is_used(
    vendor: Simulator, settings: dict[str, str], status: int
) -> None:
    ask(vendor, "hubspot", create(JANE))
    vendor.clash_status = status
    other = Contact("other", "s", "J", "J", None, "JANE@example.com", None, "", {})
    assert ask(vendor, "hubspot", create(other), settings=settings) == Record("1000", is_new=False)
    assert len(vendor.contacts) == 1


def test_hubspots_other_errors_are_refusals(vendor: Simulator) -> None:
    with pytest.raises(Refused, match=r"^HubSpot answered 400: other_id is not a unique property$"):
        ask(vendor, "hubspot", create(JANE), settings={"unique_property": "other_id"})
    with pytest.raises(Refused, match=r"^HubSpot answered 404: resource not found$"):
        ask(vendor, "hubspot", create(JANE), settings={"path_prefix": "/crm/v9/objects"})


def test_hubspot_finds_an_address(vendor: Simulator) -> None:
    contact = Contact(LEAD_ID, "s", "Jane Doe", "Jane Doe", None, "jane+a/b?c@example.com", None, "", {})
    ask(vendor, "hubspot", create(contact))
    records = ask(vendor, "hubspot", lambda adapter: adapter.find_by_email("Jane+a/b?c@example.com"))
    assert records == [Record("1000", "jane+a/b?c@example.com", "Jane Doe")]
    assert vendor.requests[-1].query == {"idProperty": "email", "properties": "email,firstname,lastname"}
    assert ask(vendor, "hubspot", lambda adapter: adapter.find_by_email("john@example.com")) == []
    assert ask(vendor, "hubspot", lambda adapter: adapter.find_by_name("Jane Doe")) is None


def test_hubspot_verifies_the_settings(vendor: Simulator) -> None:
    assert ask(vendor, "hubspot", lambda adapter: adapter.verify()) == Account("portal 117422")
    assert (
        ask(vendor, "hubspot", lambda adapter: adapter.verify(), settings={"unique_property": "leads_api_id"}).faults
        == ()
    )
    (fault,) = ask(vendor, "hubspot", lambda adapter: adapter.verify(), settings={"unique_property": "nickname"}).faults
    assert fault == "unique_property is nickname, which doesn't have unique values in the account."


def test_hubspots_key_need_not_open_the_account(vendor: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = vendor._reply
    monkeypatch.setattr(
        vendor,
        "_reply",
        lambda request: simulator.Reply(403, "No") if request.path.startswith("/account-info") else reply(request),
    )
    assert ask(vendor, "hubspot", lambda adapter: adapter.verify()) == Account(None)


def test_hubspot_returns_all_its_records(vendor: Simulator) -> None:
    for number in range(250):
        properties = {"email": f"n{number}@example.com", "firstname": "N", "leads_api_id": f"lead {number}"}
        vendor._stored.append({"id": str(number), "properties": properties, "_account": "sandbox"})
    records = ask(vendor, "hubspot", everything, settings={"unique_property": "leads_api_id"})
    assert records == [Record(str(n), f"n{n}@example.com", "N", f"lead {n}") for n in range(250)]


def test_hubspot_tells_the_accounts_offset(vendor: Simulator) -> None:
    vendor.utc_offset = "-04:00"
    assert ask(vendor, "hubspot", lambda it: it.verify()) == Account("portal 117422", (), {"utc_offset": "-04:00"})
    vendor.utc_offset = "a zone"
    assert ask(vendor, "hubspot", lambda it: it.verify()) == Account("portal 117422")


@pytest.mark.parametrize(
    ("offset", "now", "seconds"),
    [
        ("+00:00", "2026-03-01T12:00", (13 * 60 + 5) * 60),
        ("-04:00", "2026-03-01T12:00", (17 * 60 + 5) * 60),
        ("+05:30", "2026-03-01T12:00", (7 * 60 + 35) * 60),
        # Just after midnight, the limit may still be the last day's.
        ("+00:00", "2026-03-02T00:30", 35 * 60),
        ("+00:00", "2026-03-02T01:05", 86_400),
    ],
)
def test_hubspots_daily_limit_ends_after_the_accounts_midnight(offset: str, now: str, seconds: float) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()
    assert hubspot.seconds_until_tomorrow(hubspot.utc_offset(offset), at) == seconds


@pytest.mark.parametrize("text", ["", "UTC", "5", "-5:00", "-15:00", "+01:60", "US/Eastern"])
def test_another_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it must be an offset from UTC such as -05:00$"):
        hubspot.utc_offset(text)


@pytest.mark.parametrize(
    ("policy", "headers", "is_long"),
    [
        ("DAILY", {}, True),
        ("DAILY", {"retry-after": "10"}, True),
        ("TEN_SECONDLY_ROLLING", {}, False),
        ("TEN_SECONDLY_ROLLING", {"retry-after": "10"}, False),
    ],
)
def test_hubspots_daily_limit_waits_for_the_end_of_the_day(
    vendor: Simulator, monkeypatch: pytest.MonkeyPatch, policy: str, headers: dict[str, str], is_long: bool
) -> None:
    body = {"status": "error", "message": "You have reached your limit.", "policyName": policy}
    monkeypatch.setattr(vendor, "_reply", lambda _: simulator.Reply(429, body, headers))
    monkeypatch.setattr(hubspot, "seconds_until_tomorrow", lambda offset, _: {"-04:00": 50_000}[offset])
    with pytest.raises(NotMade) as raised:
        ask(vendor, "hubspot", create(JANE), settings={"utc_offset": "-04:00"})
    assert raised.value.retry_after == (50_000 if is_long else 10 if headers else None)


def test_hubspot_has_a_limit(vendor: Simulator) -> None:
    vendor.requests += [simulator.Seen("GET", "/crm/v3/objects/contacts", {}, {}, b"")] * 190
    with pytest.raises(NotMade, match="ten_secondly_rolling"):
        ask(vendor, "hubspot", create(JANE))


# webhook


def test_a_signature_follows_the_standard() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    signature = Webhook(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_webhook_receives_the_lead(vendor: Simulator) -> None:
    before = time.time()
    creation = ask(vendor, "webhook", create(JANE))
    (request,) = vendor.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert "authorization" not in request.headers
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == request.body["id"] == creation.id == f"msg_{JANE.sync_id}"
    assert list(request.body) == ["id", "type", "timestamp", "data"]
    assert before - 1 < int(request.headers["webhook-timestamp"]) <= time.time()
    assert request.body["type"] == "lead.pushed"
    assert request.body["data"] == JANE.lead
    at = datetime.strptime(request.body["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert request.body["timestamp"][-5] == "."
    assert before - 1 < at.timestamp() <= time.time()
    assert creation.is_new
    assert vendor.deliveries == [request.body]


def test_a_webhooks_repeat_has_the_same_id(vendor: Simulator) -> None:
    vendor.fail("store_then_error")
    with pytest.raises(OutcomeUnknown):
        ask(vendor, "webhook", create(JANE))
    ask(vendor, "webhook", create(JANE))
    assert len({request.headers["webhook-id"] for request in vendor.requests}) == 1
    assert (len(vendor.requests), len(vendor.deliveries)) == (2, 1)


def test_a_webhook_with_another_secret_is_refused(vendor: Simulator) -> None:
    with pytest.raises(Refused, match="The webhook answered 400: No matching signature"):
        ask(vendor, "webhook", create(JANE), credential=f"whsec_{'A' * 32}")
    assert vendor.deliveries == []


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (302, "", Unclear, "a redirect, which isn't followed: it may have the lead. Use the final address"),
        (303, "", Unclear, "a redirect, which isn't followed: it may have the lead. Use the final address"),
        (301, "", Refused, "a redirect, which isn't followed. Use the final address"),
        (308, "", Refused, "a redirect, which isn't followed. Use the final address"),
        (307, "", Redirected, "a redirect, which isn't followed"),
        (404, "", NotYet, "The webhook answered 404"),
        (400, "Queue is full.", NotYet, "The webhook answered 400: Queue is full."),
        (400, '{"error": "Your queue is full"}', NotYet, "The webhook answered 400: Your queue is full"),
        (400, "No", Refused, "The webhook answered 400: No"),
        (410, "Queue is full.", Refused, "The webhook answered 410: Queue is full."),
    ],
)
def test_a_webhooks_other_answers(
    vendor: Simulator, monkeypatch: pytest.MonkeyPatch, status: int, body: str, error: type[CallFailed], words: str
) -> None:
    monkeypatch.setattr(vendor, "_reply", lambda _: simulator.Reply(status, body, {"location": "https://x.example/"}))
    with pytest.raises(CallFailed) as raised:
        ask(vendor, "webhook", create(JANE))
    assert (type(raised.value), raised.value.status) == (error, status)
    assert str(raised.value).endswith(words)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_little_of_a_webhooks_answer_is_read(vendor: Simulator, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """The status decides alone."""
    text = '{"message":[' + "[]," * 300_000 + "0]}"
    parsed: list[str] = []
    loads = json.loads

    def keep(text: str) -> object:
        parsed.append(text)
        return loads(text)

    monkeypatch.setattr(vendor, "_hook", lambda _: simulator.Reply(status, text))
    with monkeypatch.context() as patch:
        patch.setattr("app.worker.calls.json", SimpleNamespace(loads=keep))
        if status == 200:
            assert ask(vendor, "webhook", create(JANE)).is_new
        else:
            outcome = {400: Refused, 401: Unauthorized, 429: NotMade, 500: OutcomeUnknown}[status]
            with pytest.raises(outcome, match=rf"^The webhook answered {status}: ") as raised:
                ask(vendor, "webhook", create(JANE))
            assert type(raised.value) is outcome
    assert [len(text) for text in parsed] == ([] if status == 200 else [1 << 14])


def test_a_webhook_that_is_gone_is_a_refusal(vendor: Simulator) -> None:
    vendor.hook_status = 410
    with pytest.raises(Refused, match=r"^The webhook answered 410$"):
        ask(vendor, "webhook", create(JANE))


def test_a_webhook_cannot_be_searched(vendor: Simulator) -> None:
    assert ask(vendor, "webhook", lambda adapter: adapter.verify()) == Account(f"127.0.0.1:{vendor.port}/hook")
    assert ask(vendor, "webhook", lambda adapter: adapter.find_by_email("jane@example.com")) == []
    assert ask(vendor, "webhook", lambda adapter: adapter.find_by_name("Jane")) is None
    with pytest.raises(NotImplementedError):
        ask(vendor, "webhook", everything)
    assert vendor.requests == []


# the input of operators


@pytest.mark.parametrize(
    "text", ["google_ads=Google Ads,fair=Referral", ' {"google_ads": "Google Ads", "fair": "Referral"}']
)
def test_source_names_may_be_pairs_or_json(text: str) -> None:
    assert jobnimbus.source_names(text) == {"google_ads": "Google Ads", "fair": "Referral"}


@pytest.mark.parametrize("text", ["", "a", "a=", "=a", "a=b,,c=d", "{", "[]", '{"a": 1}', '{"a": ""}'])
def test_other_source_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it must be pairs such as"):
        jobnimbus.source_names(text)


@pytest.mark.parametrize(
    "text",
    [
        *("https://crm.example.com/a?b=c", "https://crm.example.com/@a:b", "HTTPS://CRM.example.com:65535/%7Ea/"),
        *("http://127.0.0.1:8000/", "http://localhost/x", "http://[::1]:1", "https://[2606:4700::1111]/"),
        *("https://xn--exmple-cua.com", "https://my_crm.example.com", f"https://{'a' * 63}.example.com"),
    ],
)
def test_an_address_is_https_or_loopback(text: str) -> None:
    assert typed.address(f" {text}\n") == text


WRONG = (
    *("", "x", "http://crm.example.com", "ftp://crm.example.com", "https://", "https:crm.example.com"),
    *(
        "http://[::ffff:127.0.0.1]",
        "https://example.com/#a",
        "https://example.com/#",
        "https://example.com#",
        "https://exam\nple.com",
    ),
    *("https://[::", "//example.com", "https:///example.com", "https://[::1%25eth0]/", "https://:443"),
    *("https://jane:x@example.com", "https://jane@example.com", "https://@example.com", "https://:@example.com"),
    *(
        "https://exam ple.com",
        "https://example.com/a b",
        "https://example.com\\@other.example",
        "https://example.com/\\a",
    ),
    *("https://example.com:0", "https://example.com:65536", "https://example.com:99999", "https://example.com:x"),
    *("https://example.com:-1", "https://example.com:８0", "https://exämple.com", "https://example.com/ü"),
    *("https://exa%6dple.com", "https://a..example.com", "https://.example.com", "https://example.com."),
    *("https://-a.example.com", "https://a;b.example.com", "https://a,b", f"https://{'a' * 64}.example.com"),
    *("https://example.com/<a>", 'https://example.com/"', "https://example.com/\u200b", "https://example.com/\x7f"),
)


@pytest.mark.parametrize("text", WRONG)
def test_another_address_is_refused(text: str) -> None:
    for parse in (typed.address, typed.base):
        with pytest.raises(ValueError, match=r"^it must be an"):
            parse(text)


@pytest.mark.parametrize(
    "text", ["https://example.com/?", "https://example.com?", "https://example.com/a?b", "https://a?/"]
)
def test_a_base_has_no_query(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it must be an address without a \?$"):
        typed.base(text)


def test_a_base_is_stored_without_its_last_slash() -> None:
    assert typed.base(" https://crm.example.com/api1// ") == "https://crm.example.com/api1"


@pytest.mark.parametrize(
    "text", ["", SECRET[6:], "whsec_", "whsec_x", f"whsec_{'A' * 28}", f"whsec_{'A' * 88}", f"x{SECRET}", SECRET + "é"]
)
def test_another_signing_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it must be whsec_ and 24 to 64 bytes in base64$"):
        webhook.signing_secret(text)


@pytest.mark.parametrize("text", ["", " ", "two words", "kéy", "a\nb"])
def test_another_api_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it must be letters, digits and signs without a space$"):
        typed.api_key(text)


# the simulator


def test_chaos_fails_a_share_of_the_calls_and_stops(vendor: Simulator) -> None:
    vendor.chaos(0.5, seed=7, hang=0.05)
    outcomes = []
    for _ in range(40):
        try:
            outcomes.append(ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_name("Jane")) is not None)
        except CallFailed:
            outcomes.append(False)
    assert 8 <= sum(outcomes) <= 32
    vendor.chaos(0, seed=7)
    assert ask(vendor, "jobnimbus", lambda adapter: adapter.find_by_name("Jane")) == []


def test_a_client_that_gives_up_does_not_stop_the_vendor(vendor: Simulator) -> None:
    vendor.latency = 3
    with pytest.raises(OutcomeUnknown, match="didn't answer in time"):
        ask(vendor, "jobnimbus", create(JANE), seconds=1)
    assert vendor.contacts == []
    wait_for(lambda: len(vendor.contacts) == 1)
