"""Search by the beginnings of words: the same leads as a plain comparison, fresh ones too."""

import random
import re
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from tests.support.contract import check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.pushing import wait_for

NAMES = ("Sarah", "Sara", "Søren", "O'Brien", "Ann-Marie", "Ada", "ADA", "Eve", "Jürgen", "Li")
COMPANIES = ("Acme Roofing", "Roof & Co", "Saray GmbH", "A.B.C. Ltd", "Ümlaut AG", "4 Seasons", "Zed")
DOMAINS = ("example.com", "acme-roofing.example", "mail.example.org")
QUERIES = (
    "sar", "SARAH", "sara roof", "søren", "o'brien", "brien", "o", "ann-marie", "marie ann", "jür", "ümlaut", "4",
    "abc", "a b c", "roof & co", "zed", "sarah.1@", "sarah.1@example.com", "@example.com", "example", "com",
    "org", "nobody",
    "sara sarah", "sar sar", "rah", "ada eve", "e x", "acme-roofing.example", "1", "%", "_", "li zed", "sarah.1",
)  # fmt: skip


def has(lead: dict[str, Any], q: str) -> bool:
    """Whether the lead has all words of the search, compared in Python."""
    text = " ".join(value for value in (lead["name"], lead["company"], lead["email"]) if value).lower()
    words = [word for word in re.split(r"[\W_]+", text) if word] + ([lead["email"].lower()] if lead["email"] else [])
    looked_for: list[str] = []
    for token in q.lower().split():
        looked_for += [token] if re.match(r"[^@]+@", token) else [part for part in re.split(r"[\W_]+", token) if part]
    return all(any(word.startswith(each) for word in words) for each in looked_for)


def found(client: httpx.Client, q: str, **params: str) -> list[str]:
    """The ids on all pages, in their order."""
    ids: list[str] = []
    cursor = ""
    for _ in range(1000):
        response = client.get("/leads", params={"q": q, "limit": "7", "cursor": cursor, **params})
        assert response.status_code == 200, response.text
        page = response.json()
        ids += [lead["id"] for lead in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids
    raise AssertionError("the pages have no end")


def work(database: Database, *, indexes: bool = True) -> None:
    """What the worker does: it seals the events, and stores the words."""
    functions = ["admin.seal_events", "admin.index_leads"] if indexes else ["admin.seal_events"]
    for function in functions:
        after = None
        while rows := database.sql(f"select * from {function}(%s, 1000)", after, login="leads_worker"):
            after = rows[0]["organization_id"]


def words(database: Database, organization: Organization) -> set[str]:
    """The words that are stored for the organization."""
    rows = database.sql("select distinct word from app.lead_word where organization_id = %s", organization.id)
    return {row["word"] for row in rows}


def add(database: Database, organization: Organization, number: int) -> None:
    """Adds leads with random words. Many have the same time."""
    chance = random.Random(7)
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into app.lead (organization_id, name, company, email, source, pipeline_stage, created_at) "
            "values (%s, %s, %s, %s, %s, %s, timestamptz '2026-01-01Z' + %s * interval '1 millisecond')",
            [
                (
                    organization.id,
                    f"{chance.choice(NAMES)} {chance.choice(NAMES)}" if chance.random() < 0.9 else None,
                    chance.choice(COMPANIES) if chance.random() < 0.5 else None,
                    f"{chance.choice(('sarah', 'Ada', 'x'))}.{n % 50}@{chance.choice(DOMAINS)}",
                    chance.choice(("web", "fair", None)),
                    chance.choice(("new", "won")),
                    n // 20,
                )
                for n in range(number)
            ],
        )


@pytest.fixture(scope="module")
def leads(
    database: Database, acme: Organization, new_organization: Callable[..., Organization]
) -> list[dict[str, Any]]:
    """The leads of acme, newest first. Another organization has as many with the same words."""
    for organization in (acme, new_organization()):
        add(database, organization, 400)
    return database.sql(
        "select id::text, name, company, email, source, pipeline_stage from app.lead where organization_id = %s "
        "order by created_at desc, id desc",
        acme.id,
    )


@pytest.fixture
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client with a key that may only read."""
    with server.client(acme.keys["read"]) as client:
        yield client


@pytest.mark.parametrize("state", ["unsealed", "queued", "stored", "many unsealed"])
def test_a_search_finds_the_leads_of_a_plain_comparison(
    client: httpx.Client, database: Database, acme: Organization, leads: list[dict[str, Any]], state: str
) -> None:
    """Whether the events are not sealed yet, the words not stored yet, or all is stored."""
    if state == "many unsealed":
        database.sql(
            "insert into audit.unsealed select organization_id, id from audit.event where organization_id = %s "
            "on conflict do nothing",
            acme.id,
        )
        database.sql("update app.lead set name = name || '' where organization_id = %s", acme.id)
    elif state != "unsealed":
        work(database, indexes=state == "stored")
    hits = 0
    for q in QUERIES:
        if q in ("%", "_"):
            check_problem(client.get("/leads", params={"q": q}), 422, "validation_failed", ("q", "blank"))
            continue
        expected = [lead["id"] for lead in leads if has(lead, q)]
        assert found(client, q) == expected, q
        hits += bool(expected)
    assert hits > 20
    won = [
        lead["id"] for lead in leads if has(lead, "sar") and lead["pipeline_stage"] == "won" and lead["source"] == "web"
    ]
    assert won
    assert found(client, "sar", pipeline_stage="won", source="web,none") == won
    assert found(client, "sar", end_at="2026-01-01", source="web") == []


def test_a_new_or_changed_lead_is_found_at_once(server: Server, database: Database, acme: Organization) -> None:
    def go(step: int) -> None:
        """Unsealed, sealed, stored."""
        if step:
            work(database, indexes=step == 2)

    work(database)
    with server.client(acme.keys["admin"]) as client:
        id = client.post("/leads", json={"name": "Quentin Quick", "email": "qq@example.com"}).json()["id"]
        for step in range(3):
            go(step)
            assert found(client, "quen quick") == [id]
        assert {"quentin", "quick", "qq@example.com", "qq"} <= words(database, acme)
        client.patch(f"/leads/{id}", json={"name": "Renamed Slow"})
        for step in range(3):
            go(step)
            assert found(client, "quentin") == []
            assert found(client, "rena slow qq@") == [id]
        assert "quentin" not in words(database, acme)
        assert client.delete(f"/leads/{id}").status_code == 200
        # In the transaction of the erasure.
        assert not {"renamed", "slow", "qq"} & words(database, acme)
        assert found(client, "renamed") == []
        work(database)
        assert not {"renamed", "slow", "qq"} & words(database, acme)


def test_a_change_of_other_fields_stores_no_words_again(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        id = client.post("/leads", json={"email": "still@example.com"}).json()["id"]
        work(database)
        client.patch(f"/leads/{id}", json={"timeline": "soon", "lead_score": 5})
        work(database, indexes=False)
        assert database.sql("select from app.unindexed_lead where lead_id = %s", id) == []


def test_no_lead_is_missed_while_others_write_and_the_worker_works(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    organization = new_organization()
    done = threading.Event()
    created: list[str] = []
    faults: list[str] = []

    def write() -> None:
        with server.client(organization.keys["write"]) as client:
            for number in count():
                if done.is_set():
                    return
                lead = {"name": f"Walter W{number}", "email": f"w{number}@example.com"}
                created.append(client.post("/leads", json=lead).json()["id"])

    def seal() -> None:
        while not done.is_set():
            work(database)

    threads = [threading.Thread(target=write), threading.Thread(target=seal), threading.Thread(target=seal)]
    for thread in threads:
        thread.start()
    try:
        with server.client(organization.keys["read"]) as client:
            for number in range(60):
                wait_for(lambda: len(created) > number)  # noqa: B023
                before = list(created)
                ids = found(client, "walt", limit="200")
                faults += [id for id in before if id not in ids]
                assert len(ids) == len(set(ids))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert len(created) > 50
    assert faults == []
    work(database)
    assert words(database, organization) >= {"walter", "w0", f"w{len(created) - 1}@example.com"}


@pytest.mark.parametrize(
    ("params", "status", "errors"),
    [
        ({"q": " "}, 422, [("q", "blank")]),
        ({"q": "..."}, 422, [("q", "blank")]),
        ({"q": "a\x01b"}, 422, [("q", "control_character")]),
        ({"q": "a b c d e f"}, 422, [("q", "too_many_words")]),
        ({"q": "x" * 101}, 400, [("q", "too_long")]),
        ({"q": ""}, 400, [("q", "empty_value")]),
        ({"q": "a", "email": "a@example.com"}, 422, [("email", "not_combinable")]),
        (
            {"q": "a", "phone": "5550100", "reference": "x"},
            422,
            [("phone", "not_combinable"), ("reference", "not_combinable")],
        ),
        ({"q": "a", "order": "updated_at"}, 422, [("q", "not_combinable")]),
        ({"q": "a", "pipeline_stage": "nowhere"}, 422, [("pipeline_stage", "unknown_stage")]),
    ],
    ids=str,
)
def test_a_wrong_search_is_an_error(
    client: httpx.Client, params: dict[str, str], status: int, errors: list[tuple[str, str]]
) -> None:
    word = "invalid_parameter" if status == 400 else "validation_failed"
    check_problem(client.get("/leads", params=params), status, word, *errors)


def test_a_word_that_most_leads_have_leads_through_all_pages(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    """12,000 leads have it, so that the leads themselves are read, 5,000 at a time."""
    organization = new_organization()
    with database.connect() as connection, connection.transaction():
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "insert into app.lead (organization_id, email, name, created_at) select %s, 'm' || s || '@example.com', "
            "case when s %% 6000 = 0 then 'Common Twin' else 'Common Single' end, "
            "timestamptz '2026-01-01Z' - s * interval '1 second' from generate_series(1, 12000) as s",
            (organization.id,),
        )
    # Rows without events: the function of leads migrate puts them into the queue.
    with database.connect() as connection:
        while connection.execute("select admin.queue_leads(5000)").fetchall()[0]["queue_leads"]:
            pass
    with server.client(organization.keys["read"]) as client:
        for _ in range(2):
            first = client.get("/leads", params={"q": "common", "limit": "50"}).json()
            assert len(first["data"]) == 50
            ids = found(client, "common", limit="200")
            assert len(ids) == len(set(ids)) == 12000
            # Both words are common to the index: m is the beginning of each address.
            assert len(found(client, "common m", limit="200")) == 12000
            assert len(found(client, "twin common")) == 2
            rows = database.sql(
                "select count(*) as n from app.unindexed_lead where organization_id = %s", organization.id
            )
            while database.sql("select * from admin.index_leads(null, 5000)", login="leads_worker"):
                pass
        assert rows[0]["n"] == 0


@pytest.mark.parametrize(
    ("name", "q"),
    [
        ("श्रीमती राजेश्वरी विश्वनाथन", "श्रीमती राजेश्वरी विश्वनाथन"),
        ("தமிழ்ச்செல்வி கார்த்திகேயன்", "கார்த்தி"),
        ("Nguye\u0302\u0303n Thi\u0323 My\u0303 Duye\u0302n \u0110a\u0323\u0306ng", "Nguyễn Thị Mỹ Duyên Đặng"),
        ("José", "Jose\u0301"),
        ("Jose\u0301", "josé"),
        ("Zoe", "<zoe@marks.example>"),
        ("Zoe", "Zoe <zoe@marks.example>,"),
        ("Zoe", '"zoe@marks.example".'),
        ("Zoe", "mailto:zoe@marks.example"),
        ("Zoe", "(zoe@marks"),
    ],
)
def test_marks_belong_to_their_letters_and_addresses_are_found_as_pasted(
    server: Server, database: Database, new_organization: Callable[..., Organization], name: str, q: str
) -> None:
    organization = new_organization()
    with server.client(organization.keys["write"]) as client:
        lead = client.post("/leads", json={"name": name, "email": "zoe@marks.example"}).json()["id"]
        assert found(client, q) == [lead]
        work(database)
        assert found(client, q) == [lead]
