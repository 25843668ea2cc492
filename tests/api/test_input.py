"""Values: a clear error or the right result, and the same from HTTP and from the table's CHECKs."""

import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.contract import TRIMMED, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

NEVER = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"
KEPT = object()
"""The value is stored as it was sent."""

WRONG = [(value, "wrong_type") for value in (1, 0, 87.5, True, False, [], ["a"], {}, {"a": 1})]


def texts(longest: int) -> list[tuple[Any, Any]]:
    """Values of a free text, with the code of the error or the stored value."""
    return [
        (None, KEPT),
        ("a", KEPT),
        ("null", KEPT),
        ("a" * longest, KEPT),
        ("a" * (longest + 1), "too_long"),
        ("🏚" * longest, KEPT),
        ("🏚" * (longest + 1), "too_long"),
        ("ш" * longest, KEPT),
        ("مرحبا بالعالم", KEPT),
        ("a \u202ertl\u202c b", KEPT),
        ("\u202ertl\u202c", "rtl"),
        ("👩🏽‍🔧", KEPT),
        ("é", KEPT),
        ("e\u0301", KEPT),
        ("❤\ufe0f", KEPT),
        ("a\u200bb", KEPT),
        ("\u200b", "blank"),
        ("\ufeff", "blank"),
        (TRIMMED, "blank"),
        (TRIMMED + "a b" + TRIMMED, "a b"),
        *((invisible, "blank") for invisible in ("\u3164", "\u2800", "\ufe0f", "\U000e0041", "\u034f \u115f")),
        *((f"a{control}b", "control_character") for control in "\x01\b\v\f\x0e\x1b\x1f\x7f\x80\x85\x9f"),
        *((f"{control}a", "control_character") for control in "\x01\v\f\x1b\x85"),
        ("\f", "control_character"),
        ("a\nb\t c", KEPT),
        ("<script>alert(1)</script>", KEPT),
        ("'; drop table lead; --", KEPT),
        ("\\u0000 %00 %s {} \\", KEPT),
        ("", "blank"),
        (" ", "blank"),
        (" " * 300 + "a" * longest + " " * 300, "a" * longest),
        (" " + "a" * (longest + 1), "too_long"),
        *WRONG,
    ]


GOOD_EMAILS = [
    "a@b.co", "sarah.mitchell@example.com", "ada+tag@example.com", "ADA@EXAMPLE.COM", "a@xn--bcher-kva.example",
    "!#$%&'*+/=?^_`{|}~-@example.com", "a.b.c@a.b.c.d.e", "1@2.3", ".a@example.com", "a.@example.com",
    "a..b@example.com", "a@1.2.3.4", "a@a-b.example", "a" * 64 + "@example.com", f"a@{'b' * 63}.com",
    f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.com",
]  # fmt: skip
BAD_EMAILS = [
    "a", "@", "a@", "@example.com", "a@b", "a@localhost", "a@@example.com", "a@b@example.com", "a b@example.com",
    "a@exam ple.com", "a@ example.com", '"a b"@example.com', '"a"@example.com', "a@[127.0.0.1]", "a@[IPv6:::1]",
    "a@example.com.", "a@.example.com", "a@example..com", "a@-example.com", "a@example-.com", "a@example.com-",
    "bücher@example.com", "a@☃.example",
    "a@bü\u200bcher.example", "a@bücher", "a@bü_cher.example", "a,b@example.com", "a;b@example.com", "<a@example.com>",
    "Ada <a@example.com>", "mailto:a@example.com", "a@example.com\nb@example.com", "a\u200b@example.com",
    "a@exa\u200bmple.com", "a(comment)@example.com", "a@exam_ple.com", "a\\@example.com", "\uff41@example.com",
    "a\x01@example.com", "a@example.com, b@example.com", "a" * 65 + "@example.com",
    f"a@{'b' * 64}.com",
]  # fmt: skip

NAMES = [
    (None, KEPT), ("a", KEPT), ("google_ads", KEPT), ("0-9_a", KEPT), ("a" * 64, KEPT), ("a" * 65, "too_long"),
    (" google_ads\n", "google_ads"), ("", "blank"), ("\u3000", "blank"), ("Google", "invalid_name"),
    ("_a", "invalid_name"),
    ("-a", "invalid_name"), ("a b", "invalid_name"), ("a.b", "invalid_name"), ("é", "invalid_name"),
    ("\uff41", "invalid_name"),
    ("a\nb", "invalid_name"), ("ı", "invalid_name"), ("a,b", "invalid_name"), *WRONG,
]  # fmt: skip

# By column: the value that is sent, and the code of the error or the stored value.
VALUES: dict[str, list[tuple[Any, Any]]] = {
    "name": [*texts(255), ("a" * 5000, "too_long")],
    "company": texts(255),
    "industry": texts(128),
    "company_size": texts(128),
    "timeline": texts(128),
    "budget_range": texts(128),
    "pain_points": texts(10_000),
    "ai_reasoning": texts(10_000),
    "source": NAMES,
    "email": [
        (None, KEPT),
        *((email, KEPT) for email in GOOD_EMAILS),
        *((email, "invalid_email") for email in BAD_EMAILS),
        ("  ada@example.com\n", "ada@example.com"),
        ("\ufeffada@example.com\u200b", "ada@example.com"),
        ("Ada@BÜCHER.example", "Ada@xn--bcher-kva.example"),
        ("a@例え。jp", "a@xn--r8jz45g.jp"),
        ("a@example.c\u043em", "a@example.xn--cm-fmc"),
        ("a@" + "ü" * 40 + ".example", "a@xn--tdaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"),
        (f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 58}.com", "too_long"),
        ("a" * 5000 + "@example.com", "too_long"),
        ("", "blank"),
        (" \t ", "blank"),
        *WRONG,
    ],
    "pipeline_stage": [
        *((stage, KEPT) for stage in ("new", "contacted", "qualified", "proposal", "won", "lost")),
        (" won ", "won"),
        (None, "not_nullable"),
        ("Won", "unknown_stage"),
        ("nope", "unknown_stage"),
        ("new,won", "unknown_stage"),
        ("a" * 65, "unknown_stage"),
        ("", "blank"),
        *WRONG,
    ],
    "lead_score": [
        *((score, KEPT) for score in (0, 1, 50, 100)),
        (None, "not_nullable"),
        (-1, "out_of_range"),
        (101, "out_of_range"),
        (2**31, "out_of_range"),
        (2**63, "out_of_range"),
        (10**400, "out_of_range"),
        (-(10**400), "out_of_range"),
        *((value, "wrong_type") for value in ("87", "", "high", True, False, [87], {"score": 87})),
    ],
}

# Numbers as text, because Python would change their spelling.
SPELLED_SCORES = [
    ("87.0", 87), ("8.7e1", 87), ("1e2", 100), ("1E+2", 100), ("100000e-3", 100), ("-0", 0), ("-0.0", 0),
    ("0e99999", 0), ("87." + "0" * 5000, 87), ("3.5", "not_whole"), ("0.1", "not_whole"), ("1e-300", "not_whole"),
    ("99.99999999999999999999", "not_whole"), ("-0.5", "out_of_range"), ("100.5", "out_of_range"),
    ("1e3", "out_of_range"), ("1e130000", "out_of_range"), ("-1e130000", "out_of_range"),
    ("9" * 60_000, "out_of_range"),
]  # fmt: skip


def written(database: Database) -> dict[str, Any]:
    """A number that any write would change."""
    return database.sql(
        """select (select count(*) from app.lead) as leads, (select sum(revision) from app.lead) as revisions,
        (select count(*) from audit.event) as events, (select count(*) from app.idempotency_key) as keys"""
    )[0]


def contact(field: str) -> dict[str, str]:
    """The other fields that a lead needs."""
    return {"name": "Ada", "company": "Engines"} if field == "email" else {"email": "ada@example.com"}


@pytest.mark.parametrize("field", VALUES)
def test_a_value_is_stored_or_refused_by_field_and_the_table_agrees(
    server: Server, database: Database, acme: Organization, field: str
) -> None:
    with server.client(acme.keys["write"]) as client, database.connect() as connection:
        path = client.post("/leads", json=contact(field)).headers["location"].removeprefix("/api/v1")
        good = [
            (value, value if stored is KEPT else stored) for value, stored in VALUES[field] if is_kept(value, stored)
        ]
        bad = [(value, stored) for value, stored in VALUES[field] if not is_kept(value, stored)]
        assert good
        assert bad

        for value, stored in good:
            created = client.post("/leads", json=contact(field) | {field: value})
            assert created.status_code == 201, (value, created.text)
            assert client.get(created.headers["location"].removeprefix("/api/v1")).json()[field] == stored
            changed = client.patch(path, json={field: value})
            assert changed.status_code == 200, (value, changed.text)
            assert client.get(path).json()[field] == stored
            assert is_taken_in_sql(connection, acme, field, stored), value

        before = written(database)
        for value, code in bad:
            for answer in (
                client.post("/leads", json=contact(field) | {field: value}),
                client.patch(path, json={field: value}),
            ):
                check_problem(answer, 422, "validation_failed", (field, code))
            # SQL accepts a number as a text, and a text of digits as a number.
            # The table accepts control and other invisible characters, because an older row may have them.
            if code == "control_character" or (code == "blank" and value.strip(TRIMMED)):
                continue
            if value is None or (type(value) is int if field == "lead_score" else isinstance(value, str)):
                assert not is_taken_in_sql(connection, acme, field, value), value
        # A 422 for the request takes precedence over a 404 for the record.
        check_problem(
            client.patch(f"/leads/{NEVER}", json={field: bad[0][0]}), 422, "validation_failed", (field, bad[0][1])
        )
        assert written(database) == before


def is_kept(value: Any, stored: Any) -> bool:
    return stored is KEPT or (
        isinstance(value, str) and isinstance(stored, str) and (stored == value.strip(TRIMMED) or "@" in stored)
    )


def is_taken_in_sql(
    connection: psycopg.Connection[dict[str, Any]], organization: Organization, field: str, value: Any
) -> bool:
    """Whether a superuser can insert the value without what the API removes at its ends."""
    columns: dict[str, Any] = contact(field) | {field: value.strip(TRIMMED) if isinstance(value, str) else value}
    statement = f"insert into app.lead (organization_id, {', '.join(columns)}) values (%s{', %s' * len(columns)})"
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode(), [organization.id, *columns.values()])
    except (psycopg.errors.IntegrityError, psycopg.errors.NumericValueOutOfRange):
        return False
    return True


@pytest.mark.parametrize(("spelled", "kept"), SPELLED_SCORES, ids=lambda value: str(value)[:24])
def test_a_number_is_read_by_its_value_in_any_spelling(
    server: Server, database: Database, acme: Organization, spelled: str, kept: int | str
) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers["Content-Type"] = "application/json"
        before = written(database)
        answer = client.post("/leads", content=f'{{"email": "a@example.com", "lead_score": {spelled}}}')
        if isinstance(kept, str):
            check_problem(answer, 422, "validation_failed", ("lead_score", kept))
            assert written(database) == before
        else:
            assert answer.json()["lead_score"] == kept
            assert f'"lead_score":{kept},' in answer.text


def test_a_number_beyond_all_range_is_422(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers["Content-Type"] = "application/json"
        before = written(database)
        for number in ("1e400000", "-1e400000", "1e-400000", "0." + "9" * 60_000):
            for body in (f'{{"lead_score": {number}}}', f'{{"email": "a@example.com", "x": [{number}]}}'):
                for method, path in (("POST", "/leads"), ("PATCH", f"/leads/{NEVER}")):
                    answer = client.request(method, path, content=body)
                    check_problem(answer, 422, "validation_failed", ("body", "out_of_range"))
        assert written(database) == before


def test_fields_that_clients_can_not_set_are_named(server: Server, database: Database, acme: Organization) -> None:
    read_only = ["id", "organization_id", "qualification_completed_at", "created_at", "updated_at"]
    unknown = ["", "Name", "name ", "revision", "email_key", "__proto__", "constructor", "🏚", "a.b", "$ref", "body"]
    with server.client(acme.keys["write"]) as client:
        path = client.post("/leads", json={"email": "a@example.com"}).headers["location"].removeprefix("/api/v1")
        before = written(database)
        faults = [(field, "read_only_field") for field in read_only] + [(field, "unknown_field") for field in unknown]
        for value in ("x", None, 1):
            body = dict.fromkeys(read_only + unknown, value)
            check_problem(client.patch(path, json=body), 422, "validation_failed", *faults)
            check_problem(
                client.post("/leads", json=body | {"email": "a@example.com"}), 422, "validation_failed", *faults
            )
        assert written(database) == before
        # A long name is cut.
        problem = client.patch(path, json={"x" * 5000: 1}).json()
        assert problem["errors"][0]["field"] == "x" * 100


def test_all_errors_are_reported_at_once(server: Server, database: Database, acme: Organization) -> None:
    body = {
        "name": " ",
        "company": 7,
        "source": "Google Ads",
        "lead_score": 101,
        "pipeline_stage": "nope",
        "industry": "a" * 129,
        "pain_points": [],
        "id": NEVER,
        "colour": "red",
    }
    faults = [
        ("name", "blank"),
        ("company", "wrong_type"),
        ("source", "invalid_name"),
        ("lead_score", "out_of_range"),
        ("pipeline_stage", "unknown_stage"),
        ("industry", "too_long"),
        ("pain_points", "wrong_type"),
        ("id", "read_only_field"),
        ("colour", "unknown_field"),
    ]
    with server.client(acme.keys["write"]) as client:
        before = written(database)
        check_problem(client.post("/leads", json=body), 422, "validation_failed", *faults)
        check_problem(
            client.post("/leads", json=body | {"email": "a@b"}),
            422,
            "validation_failed",
            *faults,
            ("email", "invalid_email"),
        )
        del body["company"]
        faults.remove(("company", "wrong_type"))
        check_problem(
            client.post("/leads", json=body), 422, "validation_failed", *faults, ("email", "contact_required")
        )
        assert written(database) == before


def test_a_lead_needs_an_address_or_a_name_and_a_company_and_the_table_agrees(
    server: Server, database: Database, acme: Organization
) -> None:
    contacts = {"email": "ada@example.com", "name": "Ada", "company": "Engines"}
    good = 0
    with server.client(acme.keys["write"]) as client, database.connect() as connection:
        for flags in itertools.product((True, False), repeat=3):
            parts = {field: value for (field, value), is_given in zip(contacts.items(), flags, strict=True) if is_given}
            nulls = {field: parts.get(field) for field in contacts}
            is_good = "email" in parts or len(parts) == 2
            good += is_good
            for body in (parts, nulls):
                answer = client.post("/leads", json=body)
                if is_good:
                    assert answer.status_code == 201
                else:
                    check_problem(answer, 422, "validation_failed", ("email", "contact_required"))
            # A change to the same: from all three.
            created = client.post("/leads", json=contacts)
            path = created.headers["location"].removeprefix("/api/v1")
            answer = client.patch(path, json=nulls)
            if is_good:
                assert answer.status_code == 200
            else:
                check_problem(answer, 422, "validation_failed", ("email", "contact_required"))
                assert client.get(path).headers["etag"] == created.headers["etag"]
            refusal: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
            if not is_good:
                refusal = pytest.raises(psycopg.errors.CheckViolation, match="lead_has_email_or_name_and_company_or")
            with refusal, connection.transaction(force_rollback=True):
                connection.execute(
                    "insert into app.lead (organization_id, email, name, company) values (%s, %s, %s, %s)",
                    [acme.id, *nulls.values()],
                )
    assert good == 5


def test_a_stage_belongs_to_one_organization(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    ours, theirs = new_organization(), new_organization()
    database.sql("select admin.add_stage(%s, 'on_hold')", ours.id, login="leads_operator")
    body = {"email": "a@example.com", "pipeline_stage": "on_hold"}
    with server.client(ours.keys["write"]) as client:
        created = client.post("/leads", json=body)
        assert created.json()["pipeline_stage"] == "on_hold"
        assert client.get("/leads?pipeline_stage=on_hold").json()["data"] == [created.json()]
    with server.client(theirs.keys["write"]) as client:
        check_problem(client.post("/leads", json=body), 422, "validation_failed", ("pipeline_stage", "unknown_stage"))
        answer = client.get("/leads?pipeline_stage=on_hold")
        check_problem(answer, 422, "validation_failed", ("pipeline_stage", "unknown_stage"))


def test_a_body_of_the_maximum_size_is_read_quickly(server: Server, acme: Organization) -> None:
    def filled(start: str, item: str, end: str) -> str:
        return start + ",".join([item] * ((65_000 - len(start) - len(end)) // (len(item) + 1))) + end

    bodies = [
        "{" + ",".join(f'"{n}":1' for n in range(7_000)) + "}",
        filled('{"a":[', '{"a":{}}', "]}"),
        filled('{"a":[', "[]", "]}"),
        filled('{"a":' * 30 + "[", '{"a":1}', "]" + "}" * 30),
        filled("{", '"a":1', "}"),
        json.dumps({"name": "\\" * 30_000}),
        json.dumps({"email": "a" * 30_000 + "@" + "b." * 15_000}),
        json.dumps({"email": "a@" + "b-" * 31_000}),
        json.dumps({"name": " " * 64_000}),
    ]
    with server.client(acme.keys["write"]) as client:
        for body in bodies:
            answer = client.post("/leads", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 422), answer.text[:300]
            assert answer.elapsed.total_seconds() < 20, body[:60]
