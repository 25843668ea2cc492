"""Pages: each row once, even if rows change meanwhile; filters, ranges and the Link header."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import httpx
import pytest

from tests.support.contract import check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.pushing import wait_for

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def pages_of(client: httpx.Client, path: str, params: dict[str, str]) -> Iterator[list[dict[str, Any]]]:
    """The pages, by next_cursor. Each Link must lead to the same page."""
    page = client.get(path, params=params)
    for number in range(1000):
        assert page.status_code == 200, page.text
        cursor = page.json()["next_cursor"]
        yield page.json()["data"]
        if cursor is None:
            assert "link" not in page.headers
            return
        (link,) = page.links.values()
        assert link["rel"] == "next"
        assert link["url"].startswith(f"/api/v1{path}?")
        assert dict(httpx.URL(link["url"]).params) == params | {"cursor": cursor}
        # In turn: the link unchanged, and the cursor as a parameter.
        if number % 2:
            page = client.get(link["url"].removeprefix("/api/v1"))
        else:
            page = client.get(path, params=params | {"cursor": cursor})
    raise AssertionError("the pages have no end")


def ids(pages: Iterator[list[dict[str, Any]]]) -> list[str]:
    return [row["id"] for page in pages for row in page]


def test_a_thousand_leads_within_3_milliseconds_are_each_listed_once(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    acme = new_organization()
    database.sql(
        """insert into app.lead (organization_id, email, created_at)
        select %s, 'l' || n || '@example.com', date_trunc('milliseconds', now()) + n %% 3 * interval '1 millisecond'
        from generate_series(1, 1000) as n""",
        acme.id,
    )
    expected = {str(row["id"]) for row in database.sql("select id from app.lead where organization_id = %s", acme.id)}
    some = sorted(expected)[::7]
    done = threading.Event()
    writes: Counter[str] = Counter()

    def disturb() -> None:
        with server.client(acme.keys["write"]) as client, database.connect() as connection:
            for n in itertools.count():
                if done.is_set():
                    return
                writes["post"] += client.post("/leads", json={"email": f"new{n}@example.com"}).status_code == 201
                changed = client.patch(f"/leads/{some[n % len(some)]}", json={"lead_score": n % 101})
                writes["patch"] += changed.status_code == 200
                # A transaction that began before the first page commits now,
                # with a row among the thousand.
                connection.execute(
                    """insert into app.lead (organization_id, email, created_at)
                    select organization_id, 'late@example.com', created_at
                    from app.lead where organization_id = %s and id = %s""",
                    (acme.id, some[n % len(some)]),
                )

    disturbance = threading.Thread(target=disturb)
    disturbance.start()
    try:
        with server.client(acme.keys["read"]) as client:
            rows = []
            for number, page in enumerate(pages_of(client, "/leads", {"limit": "7"})):
                assert len(page) <= 7
                # On a busy machine, the pages could be read before the others have written.
                wait_for(lambda: writes["post"] >= number // 10)  # noqa: B023
                rows += page
    finally:
        done.set()
        disturbance.join()
    assert writes["post"] > 10
    assert writes["patch"] > 10
    counted = Counter(row["id"] for row in rows)
    assert {id: counted[id] for id in expected} == dict.fromkeys(expected, 1)
    assert max(counted.values()) == 1
    order = [(row["created_at"], row["id"]) for row in rows]
    assert order == sorted(order, reverse=True)


@pytest.fixture(scope="module")
def acme(database: Database, new_organization: Callable[..., Organization]) -> Organization:
    """An organization with 60 leads, two for each hour, with 3 stages,
    4 sources and 5 addresses in turn.
    """
    organization = new_organization()
    database.sql(
        """insert into app.lead (organization_id, email, pipeline_stage, source, created_at)
        select %s, 'Lead' || n %% 5 || '@Example.com', (array['new', 'won', 'lost'])[n %% 3 + 1],
          (array['website', 'google_ads', 'referral', null])[n %% 4 + 1], %s + n / 2 * interval '1 hour'
        from generate_series(0, 59) as n""",
        organization.id,
        START,
    )
    return organization


@pytest.fixture(scope="module")
def leads(server: Server, acme: Organization) -> list[dict[str, Any]]:
    """All leads, newest first, from one page."""
    with server.client(acme.keys["read"]) as client:
        page = client.get("/leads", params={"limit": 200}).json()
    assert page["next_cursor"] is None
    assert len(page["data"]) == 60
    rows: list[dict[str, Any]] = page["data"]
    assert rows == sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)
    return rows


STAGES = (None, "new", "won,new", "lost,lost")
SOURCES = (None, "website", "website,google_ads,referral", "nobody")
EMAILS = (None, "lead0@example.com", "LEAD1@EXAMPLE.COM,lead2@example.com,Lead1@Example.com")
RANGES = (None, (START + timedelta(hours=5), START + timedelta(hours=20)))


@pytest.mark.parametrize("limit", ["1", "7", "200"])
def test_filtered_pages_agree_with_the_whole_list(
    server: Server, acme: Organization, leads: list[dict[str, Any]], limit: str
) -> None:
    combinations = 0
    with server.client(acme.keys["read"]) as client:
        for stage, source, email, between in itertools.product(STAGES, SOURCES, EMAILS, RANGES):
            if limit == "1" and (stage, source, email) != (None, None, None) and None not in (stage, source, email):
                continue  # one page for each row would be slow; the other limits test these
            params = {"limit": limit}
            expected = leads
            if stage:
                params["pipeline_stage"] = stage
                expected = [row for row in expected if row["pipeline_stage"] in stage.split(",")]
            if source:
                params["source"] = source
                expected = [row for row in expected if row["source"] in source.split(",")]
            if email:
                params["email"] = email
                expected = [row for row in expected if row["email"].lower() in email.lower().split(",")]
            if between:
                start, end = (instant.isoformat() for instant in between)
                params |= {"start_at": start, "end_at": end}
                expected = [row for row in expected if start <= row["created_at"].replace("Z", "+00:00") < end]
            if limit == "1" and len(expected) > 30:
                continue
            assert ids(pages_of(client, "/leads", params)) == [row["id"] for row in expected], params
            combinations += 1
    assert combinations > 20


def test_the_default_page_size_is_50_and_the_last_page_ends_exactly(
    server: Server, acme: Organization, leads: list[dict[str, Any]]
) -> None:
    with server.client(acme.keys["read"]) as client:
        assert client.get("/leads").json()["data"] == leads[:50]
        exactly = client.get("/leads", params={"limit": 60})
        assert exactly.json()["next_cursor"] is None
        assert "link" not in exactly.headers
        assert client.get("/leads", params={"limit": 59}).json()["next_cursor"] is not None
        head = client.head("/leads", params={"limit": 7})
        assert head.headers["link"] == client.get("/leads", params={"limit": 7}).headers["link"]


def test_the_page_size_can_change_between_pages(
    server: Server, acme: Organization, leads: list[dict[str, Any]]
) -> None:
    with server.client(acme.keys["read"]) as client:
        first = client.get("/leads", params={"limit": 10}).json()
        rest = client.get("/leads", params={"limit": 200, "cursor": first["next_cursor"]}).json()
    assert first["data"] + rest["data"] == leads


def at(leads: list[dict[str, Any]], start: datetime, end: datetime) -> list[str]:
    """The ids of the leads from start up to, but not at, end."""
    form = "%Y-%m-%dT%H:%M:%S.000Z"
    return [row["id"] for row in leads if start.strftime(form) <= row["created_at"] < end.strftime(form)]


FAR = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)

# A range in the query, and its meaning.
RANGE_QUERIES: list[tuple[str, datetime, datetime]] = [
    ("start_at=2026-03-01T13:00:00Z", START + HOUR, FAR),
    ("start_at=2026-03-01T13:00:00.000Z", START + HOUR, FAR),
    ("start_at=2026-03-01T13:00:00.0001Z", START + 2 * HOUR, FAR),
    ("start_at=2026-03-01t13:00:00z", START + HOUR, FAR),
    ("start_at=2026-03-01T13:00:00%2B00:00", START + HOUR, FAR),
    ("start_at=2026-03-01T13:00:00-00:00", START + HOUR, FAR),
    ("start_at=2026-03-01T15:00:00%2B02:00", START + HOUR, FAR),
    ("start_at=2026-03-01T15:00:00+02:00", START + HOUR, FAR),
    ("start_at=2026-03-01T15:00:00%2002:00", START + HOUR, FAR),
    ("start_at=2026-03-01T09:30:00-03:30", START + HOUR, FAR),
    ("start_at=2026-03-01T13:00Z", START + HOUR, FAR),
    ("start_at=2026-03-01 13:00:00Z", START + HOUR, FAR),
    ("start_at=2026-03-01+13:00:00.0000000000Z", START + HOUR, FAR),
    ("start_at=2026-03-01T15:00:00%2B0200", START + HOUR, FAR),
    ("start_at=2026-03-01T15:00+02", START + HOUR, FAR),
    ("start_at=2026-02-28T23:59:60Z", START, FAR),
    ("start_at=2026-03-02", MIDNIGHT, FAR),
    ("end_at=2026-03-02", START, MIDNIGHT),
    ("end_at=2026-03-02T00:00:00Z", START, MIDNIGHT),
    ("end_at=2026-03-02T00:00:00.001Z", START, MIDNIGHT + HOUR),
    ("start_at=2026-03-01T13:00:00Z&end_at=2026-03-01T14:00:00Z", START + HOUR, START + 2 * HOUR),
    ("start_at=2026-03-01T13:00:00Z&end_at=2026-03-01T13:00:00Z", FAR, FAR),
    ("start_at=2026-03-02&end_at=2026-03-01", FAR, FAR),
    ("start_at=0001-01-01&end_at=9999-12-31T23:59:59.999999Z", START, FAR),
    ("start_at=9999-12-31", FAR, FAR),
    ("end_at=0001-01-01", FAR, FAR),
    ("start_at=2024-02-29&end_at=2028-02-29", START, FAR),
]  # fmt: skip


@pytest.mark.parametrize(("query", "start", "end"), RANGE_QUERIES, ids=[query for query, _, _ in RANGE_QUERIES])
def test_a_range_includes_its_start_and_excludes_its_end(
    server: Server, acme: Organization, leads: list[dict[str, Any]], query: str, start: datetime, end: datetime
) -> None:
    with server.client(acme.keys["read"]) as client:
        page = client.get(f"/leads?limit=200&{query}")
        assert [row["id"] for row in page.json()["data"]] == at(leads, start, end)
        assert page.json()["next_cursor"] is None
        # The links of the pages keep the filters, and the plus sign.
        page = client.get(f"/leads?limit=13&{query}")
        rows = page.json()["data"]
        while "link" in page.headers and len(rows) <= len(leads):
            page = client.get(page.links["next"]["url"].removeprefix("/api/v1"))
            rows += page.json()["data"]
        assert [row["id"] for row in rows] == at(leads, start, end)


BAD_INSTANTS = [
    "", "now", "today", "infinity", "-infinity", "epoch", "2026-03", "2026-3-1", "20260301", "2026-W09-7", "2026-060",
    "2026-03-01T13:00:00", "2026-03-01T13Z", "2026-03-01T13:00:00,5Z",
    "2026-03-01T13:00:00.Z", "2026-03-01T130000Z",
    "2026-03-01T13:00:00%2B24:00", "2026-03-01T13:00:00%2B02:60", "2026-03-01T13:00:00 UTC",
    "2026-03-01T13:00:00Europe/Berlin", "2026-03-01T24:00:00Z", "2026-03-01T24:00:01Z", "2026-03-01T13:60:00Z",
    "2026-03-01T13:00:60Z", "2026-02-29", "2100-02-29", "2026-02-29T00:00:00Z", "2026-02-30",
    "2026-04-31", "2026-13-01", "2026-00-01", "2026-01-00", "0000-01-01", "0000-12-31T23:59:59Z", "10000-01-01",
    "%2B10000-01-01", "-0001-01-01", "0001-01-01T00:00:00%2B00:01", "9999-12-31T23:59:59-00:01", "1772366400",
    "2026-03-01T13:00:00Z%00", "%D9%A2%D9%A0%D9%A2%D9%A6-03-01", "2026-03-01 ", " 2026-03-01", "2026-03-01Z",
    "2026-03-01%0A", "2026-03-01,2026-03-02",
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_INSTANTS)
def test_an_invalid_date_is_400(server: Server, acme: Organization, value: str) -> None:
    code = "empty_value" if not value else "nul_character" if "%00" in value else "invalid_timestamp"
    with server.client(acme.keys["read"]) as client:
        for path in ("/leads", "/audit-log"):
            answer = client.get(f"{path}?start_at={value}&end_at={value}")
            check_problem(answer, 400, "invalid_parameter", ("start_at", code), ("end_at", code))


def test_a_body_and_a_query_read_the_same_instants(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    texts = {
        "good": [unquote_plus(query.partition("=")[2]) for query, *_ in RANGE_QUERIES if "&" not in query],
        "bad": [unquote_plus(value) for value in BAD_INSTANTS if "%00" not in value],
    }
    with server.client(new_organization().keys["write"]) as client:
        path = client.post("/leads", json={"email": "a@example.com"}).headers["location"].removeprefix("/api/v1")
        for kind, values in texts.items():
            signals = [{"type": "visit", "observed_at": value} for value in values]
            answer = client.post(f"{path}/signals", json={"signals": signals})
            if kind == "good":
                assert answer.status_code == 201, answer.text
            else:
                errors = {f"signals[{n}].observed_at": "invalid_timestamp" for n in range(len(values))}
                check_problem(answer, 422, "validation_failed", *errors.items())


def test_a_repeated_list_is_the_same_as_one_with_commas(
    server: Server, acme: Organization, leads: list[dict[str, Any]]
) -> None:
    expected = [row["id"] for row in leads if row["pipeline_stage"] in ("won", "lost")]
    with server.client(acme.keys["read"]) as client:
        page = client.get("/leads?pipeline_stage=won&limit=7&cursor=&pipeline_stage=lost")
        rows = page.json()["data"]
        while "link" in page.headers and len(rows) <= len(leads):
            page = client.get(page.links["next"]["url"].removeprefix("/api/v1"))
            rows += page.json()["data"]
    assert [row["id"] for row in rows] == expected


def test_the_audit_log_is_paged_and_filtered_in_the_same_way(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        leads = [client.post("/leads", json={"email": f"a{n}@example.com"}).json()["id"] for n in range(6)]
        for n, lead in enumerate(leads * 3):
            assert client.patch(f"/leads/{lead}", json={"lead_score": n + 1}).status_code == 200
        # In one transaction, so with the same time.
        database.sql("update app.lead set timeline = 'soon' where organization_id = %s", acme.id)
        events = client.get("/audit-log", params={"limit": 200}).json()["data"]
        assert events == sorted(events, key=lambda row: (row["created_at"], row["id"]), reverse=True)
        assert Counter(row["source"] for row in events)["sql"] == 6

        middle = events[len(events) // 2]["created_at"]
        filters: dict[str, tuple[str | None, ...]] = {
            "action": (None, "lead.updated", "lead.created,lead.updated,lead.erased"),
            "source": (None, "sql", "api,sql,api", "worker"),
            "lead_id": (None, leads[0]),
        }
        between: tuple[dict[str, str], ...] = (
            {},
            {"start_at": middle},
            {"end_at": middle},
            {"start_at": middle, "end_at": middle},
        )
        for values in itertools.product(*filters.values()):
            for limits in between:
                params = {name: value for name, value in zip(filters, values, strict=True) if value} | limits
                expected = [
                    row["id"]
                    for row in events
                    if ("action" not in params or row["action"] in params["action"].split(","))
                    and ("source" not in params or row["source"] in params["source"].split(","))
                    and ("lead_id" not in params or row["payload"].get("lead_id") == params["lead_id"])
                    and params.get("start_at", "") <= row["created_at"] < params.get("end_at", "9")
                ]
                assert ids(pages_of(client, "/audit-log", params | {"limit": "7"})) == expected, params


def test_the_filter_by_address_ignores_the_case_of_ascii_letters_only(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    with server.client(new_organization().keys["write"]) as client:
        lead = client.post("/leads", json={"email": "Ada.Lovelace+x@Example.COM"}).json()
        assert lead["email"] == "Ada.Lovelace+x@Example.COM"
        for email in ("ada.lovelace%2Bx@example.com", "ADA.LOVELACE%2BX@EXAMPLE.COM", "Ada.Lovelace%2Bx@Example.COM"):
            assert client.get(f"/leads?email={email}").json()["data"] == [lead], email
        # A plus sign that is not percent-encoded, and white space at the ends.
        for email in (
            "ada.lovelace+x@example.com",
            "+ada.lovelace%20x@example.com%20",
            "no@example.com,%20ada.lovelace%2Bx@example.com%09",
        ):
            assert client.get(f"/leads?email={email}").json()["data"] == [lead], email
        for email in ("ada.lovelace@example.com", "NULL@example.com"):
            assert client.get("/leads", params={"email": email}).json()["data"] == [], email
        # KELVIN SIGN, whose lower case is k in Unicode.
        client.post("/leads", json={"email": "k@example.com"})
        check_problem(
            client.get("/leads", params={"email": "\u212a@example.com"}),
            422,
            "validation_failed",
            ("email", "invalid_email"),
        )


NEVER_FILTERED = [
    '"',
    "\\",
    "{}",
    "NULL",
    "a\tb",
    "';--",
    "%",
    "\U0001f600",
    "x" * 5000,
    " ",
    "Google Ads",
    "lead.updatd",
]


def test_a_filter_refuses_a_value_that_no_row_can_have(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["read"]) as client:
        for value in NEVER_FILTERED:
            params = {"source": f"website,{value}", "email": value, "pipeline_stage": value}
            expected = [("pipeline_stage", "unknown_stage"), ("source", "invalid_name"), ("email", "invalid_email")]
            check_problem(client.get("/leads", params=params), 422, "validation_failed", *expected, in_order=True)
            params = {"source": value, "action": f"lead.created,{value}"}
            expected = [("action", "unknown_action"), ("source", "unknown_source")]
            check_problem(client.get("/audit-log", params=params), 422, "validation_failed", *expected, in_order=True)
