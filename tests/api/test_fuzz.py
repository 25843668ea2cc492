"""Random requests: a success or a problem, never a 5xx."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.contract import CHANGE, ITEM, TRIMMED, check_headers, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

# The examples are always the same, so that a failure is reproducible.
fuzz = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

FIELDS = [
    "name", "company", "email", "source", "lead_score", "pipeline_stage", "industry", "company_size", "pain_points",
    "timeline", "budget_range", "ai_reasoning", "id", "created_at", "x",
]  # fmt: skip

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-1, 101)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=300)
    | st.sampled_from(["", " ", "a@example.com", "won", "new", "google_ads", "\x00", "\ud800", "87"])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
good_leads = st.fixed_dictionaries(
    {"email": st.sampled_from(["a@example.com", "B+c@Example.org"])},
    optional={
        "name": st.text(max_size=255),
        "company": st.none() | st.text(max_size=255),
        "lead_score": st.integers(0, 100),
        "pipeline_stage": st.sampled_from(["new", "won", " lost"]),
        "pain_points": st.text(max_size=2000),
        "source": st.none() | st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    },
)
lead_bodies = st.dictionaries(st.sampled_from(FIELDS), scalars, max_size=8)
parameters = st.sampled_from(
    ["limit", "cursor", "pipeline_stage", "source", "email", "start_at", "end_at", "action", "lead_id", "id", "", "x"]
)
words = (
    st.text(max_size=40)
    | st.integers(-300, 300).map(str)
    | st.datetimes().map(str)
    | st.datetimes().map(lambda instant: instant.isoformat() + "Z")
    | st.dates().map(str)
    | st.uuids().map(str)
    | st.lists(st.sampled_from(["new", "won", "api", "lead.created", "a@example.com", ""]), max_size=12).map(",".join)
)
queries = st.lists(st.tuples(parameters, words), max_size=5)
octets = st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0123456789.eE-+tfn alse', max_size=80).map(str.encode)


@pytest.fixture(scope="module")
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client with a key of the scope write."""
    with server.client(acme.keys["write"]) as client:
        client.headers["Content-Type"] = "application/json"
        yield client


def check(answer: httpx.Response, *, good: tuple[int, ...]) -> None:
    """Whether this is a success, or a problem that the request causes."""
    assert answer.status_code < 500, answer.text
    check_headers(answer)
    if answer.status_code in good:
        assert answer.headers["content-type"] == "application/json"
        return
    assert answer.status_code in (400, 404, 422)
    problem = answer.json()
    errors = [(entry["field"], entry["code"]) for entry in problem["errors"]]
    check_problem(answer, answer.status_code, problem["code"], *errors)
    # invalid_request: the header itself is not valid HTTP.
    assert errors or problem["code"] in ("not_found", "invalid_request")
    assert len(set(errors)) == len(errors)


def count(database: Database, organization: Organization) -> int:
    return int(database.sql("select count(*) from app.lead where organization_id = %s", organization.id)[0]["count"])


@fuzz
@given(body=good_leads | lead_bodies | anything)
def test_a_body_of_any_json(client: httpx.Client, body: Any) -> None:
    content = json.dumps(body)
    answer = client.post("/leads", content=content)
    check(answer, good=(201,))
    if answer.status_code == 201:
        lead = answer.json()
        assert list(lead) == ITEM
        for field in ITEM:
            if body.get(field) is not None:
                assert lead[field] == (body[field].strip(TRIMMED) if isinstance(body[field], str) else body[field])
        changed = client.patch(answer.headers["location"].removeprefix("/api/v1"), content=content)
        assert changed.status_code == 200
        assert list(changed.json()) == CHANGE
        assert changed.headers["etag"] == answer.headers["etag"]


@fuzz
@given(change=good_leads | lead_bodies | anything)
def test_a_change_of_any_json(client: httpx.Client, database: Database, acme: Organization, change: Any) -> None:
    path = client.post("/leads", content=b'{"email": "a@example.com"}').headers["location"].removeprefix("/api/v1")
    before = client.get(path)
    answer = client.patch(path, content=json.dumps(change))
    check(answer, good=(200,))
    after = client.get(path)
    if answer.status_code == 200:
        assert {field: after.json()[field] for field in CHANGE} == answer.json()
    else:
        assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])


@fuzz
@given(content=octets)
def test_a_body_of_any_octets(client: httpx.Client, content: bytes) -> None:
    check(client.post("/leads", content=content), good=(201,))


@fuzz
@given(rows=st.lists(good_leads | lead_bodies | anything, max_size=6))
def test_an_upload_has_the_result_of_single_requests(client: httpx.Client, rows: list[Any]) -> None:
    single = [client.post("/leads", content=json.dumps(row)) for row in rows]
    for answer in (
        client.post("/leads/bulk", content=json.dumps(rows)),
        client.post(
            "/leads/bulk",
            content="\n".join(map(json.dumps, rows)),
            headers={"Content-Type": "application/x-ndjson"},
        ),
    ):
        check(answer, good=(200,))
        results = answer.json()["results"]
        assert [result["status"] == "created" for result in results] == [each.status_code == 201 for each in single]
        for result, each in zip(results, single, strict=True):
            expected = [] if each.status_code == 201 else each.json()["errors"]
            errors = {(error["field"].replace("body", "row"), error["code"]) for error in expected}
            assert {(error["field"], error["code"]) for error in result["errors"]} == errors


@fuzz
@given(content=octets, media_type=st.sampled_from(["application/json", "application/x-ndjson", "text/csv"]))
def test_an_upload_of_any_octets(client: httpx.Client, content: bytes, media_type: str) -> None:
    check(client.post("/leads/bulk", content=content, headers={"Content-Type": media_type}), good=(200,))


@fuzz
@given(
    query=queries,
    path=st.sampled_from(["/leads", "/audit-log", "/health", "/leads/9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"]),
)
def test_a_query_of_any_text(client: httpx.Client, query: list[tuple[str, str]], path: str) -> None:
    params: list[tuple[str, str | int | float | bool | None]] = [
        (name, value.encode("utf-8", "replace").decode()) for name, value in query
    ]
    answer = client.get(path, params=params)
    check(answer, good=(200,))
    if answer.status_code == 200 and "data" in answer.json():
        assert list(answer.json()) == ["data", "next_cursor"]


@fuzz
@given(query=st.text(alphabet="%&=+;,0123456789abcdefABCDEFlimtcursonz-:TZ.", max_size=60))
def test_a_query_of_any_form(client: httpx.Client, query: str) -> None:
    check(client.get(f"/leads?{query}"), good=(200,))


@fuzz
@given(value=st.text(max_size=30) | st.text(alphabet="0123456789-:.TZtz+ ", max_size=30))
def test_a_date_of_any_text(client: httpx.Client, value: str) -> None:
    answer = client.get("/leads", params={"start_at": value.encode("utf-8", "replace").decode()})
    check(answer, good=(200,))


@fuzz
@given(
    segment=(
        st.text(min_size=1, max_size=40).map(lambda text: text.encode("utf-8", "replace"))
        | st.binary(min_size=1, max_size=40)
    ).map(quote)
)
def test_a_path_of_any_octets(client: httpx.Client, segment: str) -> None:
    check_problem(client.get(f"/leads/{segment}/"), 404, "not_found")
    check_problem(client.get(f"/audit-log/x{segment}"), 404, "not_found")


@fuzz
@given(
    tag=st.binary(max_size=30).filter(lambda value: not set(value) & {0, 10, 13} and value.strip() == value),
    key=st.binary(max_size=30).filter(lambda value: not set(value) & {0, 10, 13} and value.strip() == value),
)
def test_headers_of_any_octets(client: httpx.Client, tag: bytes, key: bytes) -> None:
    path = "/leads/9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"
    for method, url, headers, good in (
        ("GET", path, [(b"If-None-Match", tag)], (200, 304)),
        ("PATCH", path, [(b"If-Match", tag)], (200,)),
        ("POST", "/leads", [(b"Idempotency-Key", key)], (201,)),
    ):
        try:
            answer = client.request(method, url, content=b'{"email": "a@example.com"}', headers=headers)
        except httpx.LocalProtocolError:
            continue
        check(answer, good=good)


@pytest.fixture(scope="module")
def form(server: Server, acme: Organization) -> str:
    """The address of a form without a practical rate limit."""
    with server.client(acme.keys["admin"]) as client:
        settings = {"requests_per_minute": 6000, "mapping": {"id": "reference", "s*": "signals.x"}}
        return server.base + str(client.post("/forms", json=settings).json()["address"])


@fuzz
@given(
    body=octets
    | st.dictionaries(st.text(max_size=20), anything, max_size=6).map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.text(max_size=20).map(quote), st.text(max_size=20).map(quote), max_size=6).map(
        lambda value: "&".join(f"{name}={text}" for name, text in value.items()).encode()
    ),
    media_type=st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", ""]
    ),
)
def test_a_form_loses_nothing(form: str, database: Database, body: bytes, media_type: str) -> None:
    count = (
        "select (select count(*) from app.lead) + (select count(*) from intake.submission where outcome = 'kept') as n"
    )
    before = database.sql(count)[0]["n"]
    answer = httpx.post(form, content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.text) == (200, '{"status":"received"}')
    assert database.sql(count)[0]["n"] == before + 1
