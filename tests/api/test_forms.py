"""Forms: what each sender sends becomes the right lead, and nothing that arrives is lost."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.api import senders
from tests.api.senders import FORM, JSON, SAMPLES, SECRET
from tests.support.contract import check_problem
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Leads, Server, mistake, printed
from tests.support.pushing import wait_for

RECEIVED = {"status": "received"}
LEAD = {"name": "Dana Whitfield", "email": "dana.whitfield@example.com"}


@pytest.fixture
def organization(new_organization: Callable[..., Organization]) -> Organization:
    return new_organization()


@pytest.fixture
def client(server: Server, organization: Organization) -> Iterator[httpx.Client]:
    """A client with an admin key."""
    with server.client(organization.keys["admin"]) as client:
        yield client


def make_form(client: httpx.Client, **settings: Any) -> str:
    """Creates a form, and returns its address."""
    response = client.post("/forms", json={"requests_per_minute": 6000, **settings})
    assert response.status_code == 201, response.text
    return str(client.base_url.copy_with(path=response.json()["address"]))


def post(address: str, body: bytes | dict[str, Any], media_type: str = JSON, **headers: str) -> httpx.Response:
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    all_headers = {"Content-Type": media_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.post(address, content=content, headers=all_headers)


def multipart(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, str]:
    body = b""
    for name, file, content in parts:
        extra = "" if file is None else f'; filename="{file}"'
        body += f'--b\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + content + b"\r\n"
    return body + b"--b--\r\n", "multipart/form-data; boundary=b"


def leads_of(client: httpx.Client) -> list[dict[str, Any]]:
    """The leads of the organization, the oldest first, with their details."""
    items = client.get("/leads?limit=200").json()["data"][::-1]
    return [client.get(f"/leads/{i['id']}").json() | client.get(f"/leads/{i['id']}/details").json() for i in items]


def kept(database: Database, organization: Organization) -> list[dict[str, Any]]:
    """What forms have kept."""
    return database.sql(
        "select s.outcome, s.content, s.faults, s.lead_id from intake.submission as s "
        "where s.organization_id = %s and s.content is not null order by s.created_at, s.id",
        organization.id,
    )


def codes(submission: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault["field"], fault["code"]) for fault in submission["faults"]]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_of_a_sender_becomes_the_right_lead(
    client: httpx.Client, database: Database, organization: Organization, name: str
) -> None:
    sample = SAMPLES[name]
    address = make_form(client, preset=name, **({"secret": SECRET} if sample.is_signed else {}))
    for _ in range(2):
        response = post(address, sample.body, sample.media_type, **sample.sign(sample.body, SECRET))
        assert (response.status_code, response.json()) == (200, RECEIVED)
    made = leads_of(client)
    assert len(made) == (1 if sample.repeats else 2), kept(database, organization)
    lead = made[0]
    assert {field: lead[field] for field in sample.lead} == sample.lead
    assert lead["details"] == sample.details
    assert lead["phone"] == sample.phone
    assert kept(database, organization) == []


def test_each_preset_has_a_sample(database: Database) -> None:
    assert {row["name"] for row in database.sql("select name from intake.preset")} == set(SAMPLES)


@pytest.mark.parametrize("name", [name for name, sample in SAMPLES.items() if sample.is_signed])
def test_a_wrong_signature_makes_no_lead_and_loses_nothing(
    client: httpx.Client, database: Database, organization: Organization, name: str, leads: Leads
) -> None:
    sample = SAMPLES[name]
    form = client.post("/forms", json={"preset": name, "secret": "another secret"}).json()
    address = str(client.base_url.copy_with(path=form["address"]))
    response = post(address, sample.body, sample.media_type, **sample.sign(sample.body, SECRET))
    assert (response.status_code, response.json()) == (200, RECEIVED)
    if name != "google_ads":
        assert post(address, sample.body, sample.media_type).json() == RECEIVED
    assert leads_of(client) == []
    submissions = kept(database, organization)
    assert {code for each in submissions for _, code in codes(each)} == {"invalid_signature"}
    assert SECRET not in str(submissions)
    # An operator who trusts it sends it again, by its id only.
    assert json.loads(printed(leads("forms", "replay", form["id"], "--json"))) == []
    listed = json.loads(printed(leads("forms", "submissions", "--organization", organization.id, "--json")))
    again = leads("forms", "replay", form["id"], "--submission", listed[-1]["id"], "--json")
    assert [result["outcome"] for result in json.loads(printed(again))] == ["created"]
    assert [lead["email"] for lead in leads_of(client)] == ["dana.whitfield@example.com"]


@pytest.mark.parametrize(
    ("name", "sign"), [("calendly", senders.calendly_signature), ("webflow", senders.webflow_signature)]
)
def test_an_old_signature_makes_no_lead(
    client: httpx.Client, database: Database, organization: Organization, name: str, sign: Callable[..., dict[str, str]]
) -> None:
    sample = SAMPLES[name]
    address = make_form(client, preset=name, secret=SECRET)
    post(address, sample.body, JSON, **sign(sample.body, SECRET, time.time() - 400))
    assert leads_of(client) == []
    assert [code for each in kept(database, organization) for _, code in codes(each)] == ["old_signature"]
    post(address, sample.body, JSON, **sign(sample.body, SECRET, time.time() - 200))
    assert len(leads_of(client)) == 1


def test_what_is_no_lead_is_ignored(client: httpx.Client, database: Database, organization: Organization) -> None:
    address = make_form(client, preset="calendly")
    body = SAMPLES["calendly"].body.replace(b"invitee.created", b"invitee.canceled")
    assert post(address, body).json() == RECEIVED
    assert leads_of(client) == []
    [submission] = kept(database, organization)
    assert (submission["outcome"], codes(submission)) == ("ignored", [("body", "no_lead")])


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (json.dumps({"contact": {"your-email": LEAD["email"], "fullName": LEAD["name"]}}).encode(), JSON),
        (json.dumps([{"Email Address": LEAD["email"], "First Name": "Dana", "Surname": "Whitfield"}]).encode(), JSON),
        (urlencode({"Your-E-Mail": LEAD["email"], "name": LEAD["name"]}).encode(), FORM + "; charset=UTF-8"),
        (json.dumps({"email": LEAD["email"], "name": LEAD["name"]}).encode(), "text/plain;charset=UTF-8"),
        (json.dumps({"email": LEAD["email"], "name": LEAD["name"]}).encode(), "application/vnd.example+json"),
        (json.dumps({"email": LEAD["email"], "name": LEAD["name"]}).encode(), FORM),
        (urlencode(LEAD).encode(), "text/plain"),
        (urlencode(LEAD).encode(), ""),
        (urlencode({"nombre": "Dana", "apellidos": "Whitfield", "email": LEAD["email"]}).encode(), FORM),
        (urlencode({"nom": "Whitfield", "prenom": "Dana", "email": LEAD["email"]}).encode(), FORM),
        (json.dumps({**LEAD, "Email": "n/a", "E-Mail": []}).encode(), JSON),
    ],
)
def test_anything_can_post(client: httpx.Client, body: bytes, media_type: str) -> None:
    address = make_form(client, source="website")
    assert post(address, body, media_type).json() == RECEIVED
    lead = leads_of(client)[0]
    assert {field: lead[field] for field in ("name", "email", "source")} == {**LEAD, "source": "website"}


def test_windows_1252_and_accents(client: httpx.Client) -> None:
    address = make_form(client)
    post(address, b"name=Jos%E9+Garc%EDa&email=jose%40example.com&Stra%DFe=M%FCnzgasse", FORM)
    lead = leads_of(client)[0]
    assert (lead["name"], lead["details"]) == ("José García", {"stra_e": "Münzgasse"})


def test_a_file_is_refused_by_name_and_the_other_fields_count(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    address = make_form(client)
    photo = b"\xff\xd8" * 2_000_000
    body, media_type = multipart(
        ("name", None, b"Dana Whitfield"), ("photo", "roof.jpg", photo), ("email", None, b"dana.whitfield@example.com"),
        ("other", "", b""),
    )  # fmt: skip
    assert post(address, body, media_type).json() == RECEIVED
    lead = leads_of(client)[0]
    assert (lead["name"], lead["email"], lead["details"]) == (*LEAD.values(), {})
    [submission] = kept(database, organization)
    assert codes(submission) == [("photo", "file_refused")]
    assert 'The file "roof.jpg" was not stored' in submission["faults"][0]["detail"]
    assert (submission["outcome"], str(submission["lead_id"])) == ("created", lead["id"])


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    address = make_form(client)
    too_large = b"email=dana.whitfield%40example.com&text=" + b"x" * 262_144
    check_problem(post(address, too_large, FORM), 413, "payload_too_large")
    body, media_type = multipart(("text", None, b"x" * 262_145))
    check_problem(post(address, body, media_type), 413, "payload_too_large")
    body, media_type = multipart(("photo", "x.jpg", b"x" * (16 * 1024 * 1024)))
    check_problem(post(address, body, media_type), 413, "payload_too_large")
    assert leads_of(client) == []
    # Without a valid token, a large body is not read.
    wrong = address[:-4] + "0000"
    check_problem(post(wrong, body, media_type), 401, "unauthorized")


@pytest.mark.parametrize(
    ("body", "media_type", "fault"),
    [
        (b'{"email": ', JSON, ("body", "not_json")),
        (b'"email"', JSON, ("body", "not_an_object")),
        (b"", JSON, ("body", "not_json")),
        (b"hello", "text/plain", ("body", "not_json")),
        (b"\xff\xfe\x00", "application/octet-stream", ("body", "not_json")),
        (b'{"email": "\\u0000"}', JSON, ("body", "not_json")),
        (b"[" * 900 + b"]" * 900, JSON, ("body", "not_an_object")),
        (b"[" * 1300 + b"]" * 1300, JSON, ("body", "too_many_values")),
        (json.dumps({"email": LEAD["email"], "x": list(range(501))}).encode(), JSON, ("body", "too_many_values")),
        (json.dumps({f"a{n}": n for n in range(501)}).encode(), JSON, ("body", "too_many_values")),
        (b"&".join(b"a=1" for _ in range(501)), FORM, ("body", "too_many_values")),
        (b"&".join(b"a=1" for _ in range(2000)), FORM, ("body", "not_json")),
        (b'{"email": "dana.whitfield@example.com", "x": 1e131071}', JSON, ("body", "number_too_large")),
        (b'{"email": {"a": {"email": "x"}}, "y": []}', JSON, ("email", "invalid_email")),
        (b"name=Dana", FORM, ("email", "contact_required")),
        (multipart(("name", None, b"Dana"))[0][:-9], "multipart/form-data; boundary=b", ("body", "malformed")),
        (b"x", "multipart/form-data", ("body", "malformed")),
        (b"--b\nContent-Disposition: x\n\ny", "multipart/form-data; boundary=b", ("body", "malformed")),
        (b"", "", ("body", "not_json")),
    ],
)  # fmt: skip
def test_what_can_not_become_a_lead_is_kept(
    client: httpx.Client,
    database: Database,
    organization: Organization,
    body: bytes,
    media_type: str,
    fault: tuple[str, str],
) -> None:
    address = make_form(client)
    response = post(address, body, media_type)
    assert (response.status_code, response.json()) == (200, RECEIVED)
    assert leads_of(client) == []
    [submission] = kept(database, organization)
    assert (submission["outcome"], codes(submission)[0]) == ("kept", fault)


def test_a_value_that_its_field_can_not_have_becomes_a_detail(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    address = make_form(client)
    post(address, {**LEAD, "phone": "call me", "company": "x" * 300, "budget": "y" * 2000})
    lead = leads_of(client)[0]
    assert (lead["email"], lead["phone"], lead["company"]) == (LEAD["email"], None, None)
    assert lead["details"] == {"phone": "call me", "company": "x" * 300}
    [submission] = kept(database, organization)
    assert sorted(codes(submission)) == [
        ("budget_range", "too_long"),
        ("company", "too_long"),
        ("details.budget_range", "too_long"),
        ("phone", "invalid_phone"),
    ]
    assert submission["content"]["body"]["budget"] == "y" * 2000


def test_more_details_than_a_lead_can_have_stay_in_the_submission(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    address = make_form(client)
    post(address, {**LEAD, **{f"question_{n}": f"answer {n}" for n in range(60)}})
    [lead] = leads_of(client)
    assert len(lead["details"]) == 50
    [submission] = kept(database, organization)
    assert {code for _, code in codes(submission)} == {"too_many"}
    assert len(submission["content"]["body"]) == 62


def test_mapping_constants_and_signals(client: httpx.Client) -> None:
    address = make_form(
        client,
        source="website",
        mapping={
            "roof.age": "details.roof_age", "What happened?": "pain_points", "storm": "signals.storm_event",
            "kind": "source", "utm_*": "ignore", "id": "reference",
        },
        constants={"pipeline_stage": "qualified", "details.campaign": "spring"},
    )  # fmt: skip
    post(
        address,
        {
            **LEAD, "roof": {"age": 12}, "What happened?": "Hail", "storm": True, "kind": "Google Ads",
            "utm_source": "x", "id": "form-7731",
        },
    )  # fmt: skip
    [lead] = leads_of(client)
    expected = {
        "pain_points": "Hail", "source": "google_ads", "pipeline_stage": "qualified", "reference": "form-7731",
        "details": {"roof_age": 12, "campaign": "spring"},
    }  # fmt: skip
    assert {field: lead[field] for field in expected} == expected
    [signal] = client.get(f"/leads/{lead['id']}/signals").json()["data"]
    assert (signal["type"], signal["value"]) == ("storm_event", True)


def test_a_reference_that_is_in_use_keeps_the_submission(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    address = make_form(client, mapping={"id": "reference"})
    post(address, {**LEAD, "id": "1"})
    assert post(address, {"email": "other@example.com", "id": "1"}).json() == RECEIVED
    assert len(leads_of(client)) == 1
    [submission] = kept(database, organization)
    assert codes(submission) == [("reference", "reference_in_use")]


def test_wrong_settings(client: httpx.Client) -> None:
    response = client.post(
        "/forms",
        json={
            "name": " ", "preset": "x", "source": "Google Ads", "mapping": {"a": "lead_score", "b": 1}, "honeypot": "",
            "constants": {"pipeline_stage": "nope", "x": "y"}, "origins": ["example.com"],
            "redirect_url": "javascript:x", "on_duplicate": "x", "duplicate_hours": 0,
            "requests_per_minute": 1.5, "secret": "x", "other": 1,
        },
    )  # fmt: skip
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "validation_failed")
    assert sorted({error["field"] for error in problem["errors"]}) == [
        "constants.pipeline_stage", "constants.x", "duplicate_hours", "honeypot", "mapping.a", "mapping.b", "name",
        "on_duplicate", "origins", "other", "preset", "redirect_url", "requests_per_minute", "secret", "source",
    ]  # fmt: skip
    check_problem(client.post("/forms", json=[]), 400, "invalid_body", ("body", "not_an_object"))


@pytest.mark.parametrize(("on_duplicate", "outcomes"), [("create", 3), ("skip", 1), ("fill", 1)])
def test_duplicates(client: httpx.Client, on_duplicate: str, outcomes: int) -> None:
    address = make_form(client, on_duplicate=on_duplicate)
    post(address, {"email": "Dana.Whitfield@example.com", "phone": "+1 555 010 0142", "a": "first"})
    post(address, {"email": "dana.whitfield@example.com", "name": "Dana Whitfield", "a": "second", "b": "third"})
    post(address, {"email": "other@example.com", "phone": "+1 (555) 010-0142", "company": "Acme"})
    made = leads_of(client)
    assert len(made) == outcomes
    lead = made[0]
    assert lead["email"] == "Dana.Whitfield@example.com"
    if on_duplicate == "fill":
        assert (lead["name"], lead["company"], lead["details"]) == (
            "Dana Whitfield",
            "Acme",
            {"a": "first", "b": "third"},
        )
    else:
        assert (lead["name"], lead["company"], lead["details"]) == (None, None, {"a": "first"})


def test_a_duplicate_is_not_older_than_the_window(client: httpx.Client, database: Database) -> None:
    address = make_form(client, on_duplicate="skip", duplicate_hours=2)
    post(address, LEAD)
    [lead] = leads_of(client)
    with database.connect() as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update app.lead set created_at = now() - interval '3 hours' where id = %s", [lead["id"]])
    post(address, LEAD)
    assert len(leads_of(client)) == 2


def test_submissions_of_a_person_at_the_same_time_make_one_lead(client: httpx.Client) -> None:
    address = make_form(client, on_duplicate="skip")
    threads = [threading.Thread(target=post, args=[address, LEAD]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(leads_of(client)) == 1


def test_the_honeypot_keeps_spam(
    client: httpx.Client, database: Database, organization: Organization, leads: Leads
) -> None:
    address = make_form(client, honeypot="website")
    assert post(address, urlencode({**LEAD, "website": ""}).encode(), FORM).json() == RECEIVED
    spam = post(address, urlencode({**LEAD, "website": "http://spam.example.com"}).encode(), FORM)
    assert (spam.status_code, spam.json()) == (200, RECEIVED)
    [lead] = leads_of(client)
    assert lead["details"] == {}
    [submission] = kept(database, organization)
    assert codes(submission) == [("body", "honeypot")]


def test_all_answers_are_the_same(client: httpx.Client) -> None:
    address = make_form(client, honeypot="website", on_duplicate="skip")
    answers = [post(address, body) for body in (LEAD, LEAD, {**LEAD, "website": "x"}, {"name": "Dana"}, {})]
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(set(answer.headers) - {"x-request-id"})) for answer in answers}) == 1
    assert len({answer.status_code for answer in answers}) == 1


def test_a_browser_is_redirected_and_a_script_is_not(client: httpx.Client) -> None:
    address = make_form(client, redirect_url="https://www.example.com/thanks")
    response = post(address, urlencode(LEAD).encode(), FORM, Accept="text/html,*/*;q=0.8")
    assert (response.status_code, response.headers["location"]) == (303, "https://www.example.com/thanks")
    assert response.content == b""
    assert post(address, urlencode(LEAD).encode(), FORM, Accept="application/json").json() == RECEIVED
    assert post(address, LEAD).json() == RECEIVED


def test_pages_of_the_forms_origins_may_send(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    ours, theirs = "https://www.example.com", "https://other.example.com"
    address = make_form(client, origins=[ours])
    assert httpx.options(make_form(client), headers={"Origin": theirs}).headers["access-control-allow-origin"] == "*"
    for origin, allowed in ((ours, ours), (theirs, None)):
        preflight = httpx.options(
            address,
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type",
            },
        )
        assert preflight.status_code == 200
        assert preflight.headers.get("access-control-allow-origin") == allowed
        assert preflight.headers["access-control-allow-methods"] == "POST"
        response = post(address, LEAD, Origin=origin)
        assert response.json() == RECEIVED
        assert response.headers.get("access-control-allow-origin") == allowed
        assert "Origin" in response.headers["vary"]
    assert len(leads_of(client)) == 1
    [submission] = kept(database, organization)
    assert codes(submission) == [("origin", "wrong_origin")]
    check_problem(httpx.options(address[:-4] + "0000"), 401, "unauthorized")


def test_the_settings_of_cors_do_not_open_a_form(
    new_server: Callable[..., Server], database: Database, organization: Organization
) -> None:
    server = new_server(database, LEADS_CORS_ORIGINS="https://app.example.com")
    with server.client(organization.keys["admin"]) as client:
        address = make_form(client, origins=["https://www.example.com"])
        headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
        assert "access-control-allow-origin" not in httpx.options(address, headers=headers).headers
        headers["Origin"] = "https://www.example.com"
        allowed = httpx.options(address, headers=headers).headers["access-control-allow-origin"]
        assert allowed == "https://www.example.com"


def test_the_rate_limit_is_per_form_and_client_address(
    new_server: Callable[..., Server], database: Database, organization: Organization
) -> None:
    server = new_server(database, LEADS_TRUSTED_PROXIES="127.0.0.0/8, 10.0.0.0/8")
    with server.client(organization.keys["admin"]) as client:
        address, other = make_form(client, requests_per_minute=3), make_form(client, requests_per_minute=3)

        def send(forwarded: str, to: str = address) -> httpx.Response:
            return post(to, LEAD, X_Forwarded_For=forwarded)

        assert [send("192.0.2.1").status_code for _ in range(3)] == [200, 200, 200]
        # What the client writes itself, in front of what the proxies add, is not believed.
        problem = check_problem(send("198.51.100.9, 192.0.2.1, 10.1.2.3"), 429, "rate_limited")
        assert problem["detail"] == "This address may send 3 requests per minute to the form. Try again in 20 s."
        assert send("192.0.2.1").headers["retry-after"] == "20"
        assert send("192.0.2.2").status_code == 200
        assert send("192.0.2.1", other).status_code == 200
        assert [send(f"2001:db8::{n}").status_code for n in range(4)] == [200, 200, 200, 429]
        assert send("2001:db8:0:1::1").status_code == 200
        assert len(leads_of(client)) == 9


def test_a_token_is_in_no_log(server: Server, client: httpx.Client) -> None:
    address = make_form(client)
    token = address.rpartition("/")[2]
    post(address, LEAD)
    httpx.get(address)
    httpx.get(address.replace("/in/", "/in//"))
    httpx.get(address.replace("/in/", "/IN/"))
    httpx.get(address.replace("/in/", "/other/"), headers={"X-Request-Id": token})
    httpx.post(address + "/more")
    httpx.post(address.replace("/in/", "/api/v1/in/"), json=LEAD)
    wait_for(lambda: '"path":"/api/v1/in/***"' in server.log.read_text())
    log = server.log.read_text()
    assert token not in log
    assert log.count('"path":"/in/***"') >= 2
    assert '"path":"/in/***/more"' in log
    assert '"path":"/api/v1/in/***"' in log


def test_a_token_can_do_nothing_else(server: Server, client: httpx.Client) -> None:
    address = make_form(client)
    token = address.rpartition("/")[2]
    post(address, LEAD)
    [lead] = leads_of(client)
    with server.client(token) as stranger:
        for method, path in (
            ("GET", "/leads"), ("POST", "/leads"), ("GET", f"/leads/{lead['id']}"), ("DELETE", f"/leads/{lead['id']}"),
            ("GET", "/forms"), ("POST", "/forms"), ("GET", "/audit-log"), ("GET", "/health"),
        ):  # fmt: skip
            check_problem(
                stranger.request(method, path, json={} if method == "POST" else None), 403, "insufficient_scope"
            )
    assert httpx.post(address.replace(token, client.headers["authorization"].split()[1]), json=LEAD).status_code == 403


def test_forms_are_listed_without_their_tokens(client: httpx.Client, leads: Leads) -> None:
    created = client.post("/forms", json={"name": "Contact page", "preset": "google_ads", "secret": SECRET}).json()
    assert re.fullmatch(r"/in/lf_test_[A-Za-z0-9_-]{43}", created["address"])
    assert (created["source"], created["has_secret"], created["state"]) == ("google_ads", True, "active")
    [listed] = client.get("/forms").json()["data"]
    assert listed == {**created, "address": None}
    assert printed(leads("forms", "revoke", created["id"])).strip() == f"The form {created['id']} is revoked."
    address = str(client.base_url.copy_with(path=created["address"]))
    check_problem(post(address, LEAD), 401, "unauthorized")
    assert client.get("/forms").json()["data"][0]["state"] == "revoked"


def test_the_database_does_not_contain_token_or_secret(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    created = client.post("/forms", json={"preset": "typeform", "secret": SECRET}).json()
    token = created["address"].rpartition("/")[2]
    claim = hashlib.sha256(token.encode()).hexdigest()
    rows = database.sql(
        "select row_to_json(f)::text as t from intake.form as f "
        "union all select row_to_json(k)::text from auth.api_key as k "
        "union all select e.payload::text from audit.event as e"
    )
    text = "".join(row["t"] for row in rows)
    assert created["id"] in text
    for secret in (token, claim, SECRET, SECRET.encode().hex()):
        assert secret not in text


def test_replay_after_the_mapping_is_fixed(
    client: httpx.Client, database: Database, organization: Organization, leads: Leads, tmp_path: Path
) -> None:
    form = json.loads(
        printed(leads("forms", "create", "--organization", organization.id, "--source", "website", "--json"))
    )
    address = str(client.base_url.copy_with(path=form["address"]))
    for n in range(3):
        post(
            address, {"who": f"person{n}(at)example.com", "where": f"person{n}@example.com", "and": f"x{n}@example.com"}
        )
    assert leads_of(client) == []
    table = printed(leads("forms", "submissions", "--organization", organization.id))
    assert table.count("email: contact_required") == 3
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({"where": "email"}))
    process = leads("forms", "set", form["id"], "--mapping", str(mapping))
    assert printed(process).strip() == f"The form {form['id']} is changed."
    assert printed(leads("forms", "replay", form["id"])).count("created") == 3
    assert [lead["email"] for lead in leads_of(client)] == [f"person{n}@example.com" for n in range(3)]
    assert kept(database, organization) == []
    assert json.loads(printed(leads("forms", "replay", form["id"], "--json"))) == []
    # The operator's reading is in the audit log, and so are the form and its change.
    actions = [event["action"] for event in client.get("/audit-log?limit=200").json()["data"]]
    assert {"form.created", "form.updated", "api_key.created", "lead.read"} <= set(actions)


def test_mistakes_of_the_command_line(organization: Organization, leads: Leads) -> None:
    message = mistake(leads("forms", "create", "--organization", organization.id, "--preset", "x", "--source", "A B"))
    assert "preset: This must be one of calendly, elementor" in message
    assert "source: This must be a name" in message
    never = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"
    assert "There is no form" in mistake(leads("forms", "replay", never))
    assert "Nothing to change" in mistake(leads("forms", "set", never))
    assert "typeform" in printed(leads("forms", "presets"))


def test_submissions_are_erased_with_their_person(
    client: httpx.Client, database: Database, organization: Organization, leads: Leads
) -> None:
    address = make_form(client)
    post(address, {**LEAD, "phone": "+1 555 010 0142", "company": "x" * 300})
    # Kept: one with the address in another field, one with the number in a text that is not JSON, one of nobody else.
    post(
        address,
        {"name": "Dana", "note": ["DANA.WHITFIELD@example.com or not"], "x": "other@example.com", "y": "y@example.com"},
    )
    post(address, b"call (555) 010-0142", "text/plain")
    post(address, {"name": "Somebody else"})
    assert len(kept(database, organization)) == 4
    [lead] = leads_of(client)
    everything = client.get(f"/leads/{lead['id']}/everything").json()
    assert [each["outcome"] for each in everything["submissions"]] == ["created"]
    # Another person, whose address and number contain these.
    post(address, {"x": "mydana.whitfield@example.com", "y": "y@example.com", "z": "1555010014299"})
    assert client.delete(f"/leads/{lead['id']}").status_code == 200
    assert [each["content"]["body"].get("name") for each in kept(database, organization)] == ["Somebody else", None]
    # A person without a lead.
    post(address, {"name": "Dana", "a": "a@example.com", "b": "dana.whitfield@example.com"})
    command = ("erase", "--organization", organization.id, "--email", "Dana.Whitfield@example.com", "--yes")
    assert printed(leads(*command)).strip() == "1 submission of forms was erased."
    assert "no form has stored a submission" in mistake(leads(*command))


def test_submissions_are_deleted_after_30_days(
    database: Database, client: httpx.Client, organization: Organization
) -> None:
    address = make_form(client)
    for n in range(3):
        post(address, {"name": f"{n}"})
    database.sql(
        "update intake.submission set created_at = created_at - interval '31 days' where organization_id = %s "
        "and content -> 'body' ->> 'name' <> '2'",
        organization.id,
    )
    deleted = database.sql("select admin.delete_old_submissions(1) as n", login="leads_worker")
    assert deleted[0]["n"] == 1
    assert database.sql("select admin.delete_old_submissions(100) as n", login="leads_worker")[0]["n"] >= 1
    assert [each["content"]["body"]["name"] for each in kept(database, organization)] == ["2"]


def test_forms_of_two_organizations_do_not_mix(server: Server, database: Database) -> None:
    ours, theirs = make_organization(database), make_organization(database)
    with server.client(ours.keys["admin"]) as us, server.client(theirs.keys["admin"]) as them:
        post(make_form(us, on_duplicate="fill", mapping={"id": "reference"}), {**LEAD, "id": "1", "a": "ours"})
        address = make_form(them, on_duplicate="fill", mapping={"id": "reference"})
        post(address, {**LEAD, "id": "1", "b": "theirs"})
        assert [lead["details"] for lead in leads_of(us)] == [{"a": "ours"}]
        assert [lead["details"] for lead in leads_of(them)] == [{"b": "theirs"}]
        assert [len(client.get("/forms").json()["data"]) for client in (us, them)] == [1, 1]


def test_the_parameters_of_the_query_count(client: httpx.Client) -> None:
    address = make_form(client)
    assert post(address + "?utm_source=news+letter&utm_source=x&email=other", LEAD).json() == RECEIVED
    [lead] = leads_of(client)
    assert (lead["email"], lead["details"]) == (LEAD["email"], {"utm_source": "news letter, x", "email": "other"})


def test_a_duplicate_with_other_values_is_kept(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    for on_duplicate in ("skip", "fill"):
        address = make_form(client, on_duplicate=on_duplicate)
        post(address, {**LEAD, "message": "First", "a": "1"})
        post(address, {**LEAD, "message": "First", "a": "1"})
        assert kept(database, organization) == []
        post(address, {**LEAD, "message": "Second", "a": "2"})
        [submission] = kept(database, organization)
        assert codes(submission) == [("details.a", "not_stored"), ("pain_points", "not_stored")]
        [lead] = leads_of(client)
        assert client.delete(f"/leads/{lead['id']}").status_code == 200


def test_another_submission_with_the_id_of_an_earlier_one(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    address = make_form(client, preset="gravity_forms")
    # It could not become a lead, and is corrected.
    post(address, {"id": "1", "5": "no address"})
    post(address, {"id": "1", "5": "first@example.com"})
    post(address, {"id": "1", "5": "first@example.com"})
    assert [lead["email"] for lead in leads_of(client)] == ["first@example.com"]
    # Another site has used the same number.
    post(address, {"id": "1", "5": "second@example.com"})
    assert [lead["email"] for lead in leads_of(client)] == ["first@example.com"]
    outcomes = [(each["outcome"], codes(each)[0][1]) for each in kept(database, organization)]
    assert outcomes == [("kept", "contact_required"), ("kept", "repeated_event")]


def test_replay_destroys_nothing(
    client: httpx.Client, database: Database, organization: Organization, leads: Leads
) -> None:
    form = client.post("/forms", json={}).json()
    address = str(client.base_url.copy_with(path=form["address"]))
    post(address, {"name": "Dana"})
    printed(leads("forms", "set", form["id"], "--preset", "calendly"))
    printed(leads("forms", "replay", form["id"]))
    printed(leads("forms", "replay", form["id"]))
    [submission] = kept(database, organization)
    assert (submission["outcome"], submission["content"]["body"]) == ("ignored", {"name": "Dana"})
    never = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"
    assert "has not kept a submission" in mistake(leads("forms", "replay", form["id"], "--submission", never))


def test_a_secret_stays_checked(client: httpx.Client, leads: Leads) -> None:
    form = client.post("/forms", json={"preset": "typeform", "secret": SECRET}).json()
    assert "Create another form" in mistake(leads("forms", "set", form["id"], "--preset", ""))
    assert printed(leads("forms", "set", form["id"], "--preset", "typeform", "--name", "x"))
    leads("forms", "revoke", form["id"])
    assert "is revoked already" in mistake(leads("forms", "revoke", form["id"]))


def test_the_key_of_google_is_stored_nowhere(
    client: httpx.Client, database: Database, organization: Organization
) -> None:
    address = make_form(client, preset="google_ads", secret=SECRET)
    for body, media_type in (
        (SAMPLES["google_ads"].body[:-1], JSON),
        (urlencode({"google_key": SECRET, "name": "x"}).encode(), FORM),
        (json.dumps([{"google_key": SECRET}, {}]).encode(), JSON),
    ):
        post(address, body, media_type)
    submissions = kept(database, organization)
    assert len(submissions) == 3
    assert SECRET not in str(submissions)


def test_a_file_name_can_not_control_the_terminal(
    client: httpx.Client, organization: Organization, leads: Leads
) -> None:
    body, media_type = multipart(("\x1b[2J", "\x1b]0;x\x07", b"x"), ("email", None, b"dana.whitfield@example.com"))
    post(make_form(client), body, media_type)
    assert "\x1b" not in printed(leads("forms", "submissions", "--organization", organization.id))


@pytest.mark.parametrize(
    "body",
    [
        {**LEAD, **{f"a{'!' * n}": n for n in range(490)}},
        {**LEAD, "x" * 200_000: {f"a{n}": n for n in range(490)}},
        {**LEAD, **{f"q{n}": "x" * 500 for n in range(490)}},
    ],
)
def test_a_large_body_is_read(
    client: httpx.Client, database: Database, organization: Organization, body: dict[str, Any]
) -> None:
    assert post(make_form(client), body).json() == RECEIVED
    [lead] = leads_of(client)
    assert len(lead["details"]) > 20
    [submission] = kept(database, organization)
    assert submission["content"]["body"] == body
