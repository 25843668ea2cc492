"""The phone number, the reference and the details of a lead."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.contract import check_headers, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

LEAD = {
    "email": "ada@example.com",
    "phone": "(555) 010-0199",
    "reference": "r-1",
    "details": {"roof_age": 12, "ok": True},
}


def test_a_lead_has_them_from_the_start(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        created = client.post("/leads", json=LEAD)
        assert (created.status_code, len(created.json())) == (201, 12)
        lead = created.json()["id"]
        details = client.get(f"/leads/{lead}/details")
        check_headers(details)
        assert details.json() == {
            "id": lead,
            **{name: LEAD[name] for name in ("phone", "reference", "details")},
            "updated_at": created.json()["updated_at"],
        }
        whole = client.get(f"/leads/{lead}")
        assert len(whole.json()) == 17
        assert details.headers["etag"] == whole.headers["etag"] == created.headers["etag"]
        assert (
            client.get(f"/leads/{lead}/details", headers={"If-None-Match": details.headers["etag"]}).status_code == 304
        )


def test_a_patch_changes_them(server: Server, new_organization: Callable[..., Organization]) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        lead = client.post("/leads", json=LEAD).json()["id"]
        path, tag = f"/leads/{lead}/details", client.get(f"/leads/{lead}").headers["etag"]
        once = {"If-Match": tag, "Idempotency-Key": "once"}
        changed = client.patch(path, json={"phone": None, "details": {"ok": None, "color": "red"}}, headers=once)
        assert changed.json()["phone"] is None
        assert changed.json()["details"] == {"roof_age": 12, "color": "red"}
        assert changed.headers["etag"] == client.get(f"/leads/{lead}").headers["etag"] != tag
        again = client.patch(path, json={"phone": None, "details": {"ok": None, "color": "red"}}, headers=once)
        assert (again.json(), again.headers["idempotency-replayed"]) == (changed.json(), "true")
        check_problem(client.patch(path, json={"phone": "911"}, headers={"If-Match": tag}), 412, "precondition_failed")
        events = client.get("/audit-log", params={"lead_id": lead}).json()["data"]
        assert events[0]["payload"]["diff"] == {
            "phone": {"from": LEAD["phone"], "to": None},
            "details": {"from": {"ok": True}, "to": {"color": "red"}},
        }
        for other, body in ((f"/leads/{lead}", {"phone": "911"}), (path, {"name": "Ada"})):
            problem = client.patch(other, json=body)
            check_problem(problem, 422, "validation_failed", (next(iter(body)), "unknown_field"))
            assert "Use PATCH /leads/{id}" in problem.json()["errors"][0]["detail"]
    with server.client(acme.keys["read"]) as client:
        check_problem(client.patch(path, json={"phone": "911"}), 403, "insufficient_scope")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("phone", "call me", "invalid_phone"),
        ("phone", 911, "wrong_type"),
        ("phone", "1" * 65, "too_long"),
        ("reference", "", "blank"),
        ("reference", 7, "wrong_type"),
        ("details", [], "wrong_type"),
        ("details.A", 1, "invalid_name"),
        ("details.a", [1], "wrong_type"),
        ("details.a", "x" * 1001, "too_long"),
        ("details.a", "", "blank"),
        ("details.a", int("9" * 41), "out_of_range"),
        ("details", {f"a{number}": number for number in range(51)}, "too_many"),
        ("details", {f"a{number}": "x" * 1000 for number in range(17)}, "too_large"),
    ],
)
def test_a_wrong_value_is_refused(server: Server, acme: Organization, field: str, value: Any, code: str) -> None:
    name, _, member = field.partition(".")
    body = {name: {member: value} if member else value}
    with server.client(acme.keys["write"]) as client:
        check_problem(
            client.post("/leads", json={"email": "a@example.com", **body}), 422, "validation_failed", (field, code)
        )
        lead = client.post("/leads", json={"email": "a@example.com"}).json()["id"]
        check_problem(client.patch(f"/leads/{lead}/details", json=body), 422, "validation_failed", (field, code))


def test_details_of_two_patches_have_one_limit(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "a@example.com"}).json()["id"]
        path = f"/leads/{lead}/details"
        assert client.patch(path, json={"details": {f"a{number}": 1 for number in range(30)}}).status_code == 200
        problem = client.patch(path, json={"details": {f"b{number}": 1 for number in range(30)}})
        check_problem(problem, 422, "validation_failed", ("details", "too_many"))
        assert client.patch(path, json={"details": None}).json()["details"] == {}


def test_a_reference_belongs_to_one_lead_of_an_organization(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    acme, other = new_organization(), new_organization()
    body = {"email": "a@example.com", "reference": "unique-1"}
    with server.client(acme.keys["write"]) as client:
        with ThreadPoolExecutor(8) as executor:
            answers = list(executor.map(lambda _: client.post("/leads", json=body), range(8)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
        for answer in answers:
            if answer.status_code == 409:
                check_problem(answer, 409, "reference_in_use")
        (found,) = client.get("/leads", params={"reference": "unique-1"}).json()["data"]
        assert found["id"] in [answer.json()["id"] for answer in answers if answer.status_code == 201]
        second = client.post("/leads", json={"email": "a@example.com"}).json()["id"]
        problem = client.patch(f"/leads/{second}/details", json={"reference": "unique-1"})
        check_problem(problem, 409, "reference_in_use")
    with server.client(other.keys["write"]) as client:
        assert client.post("/leads", json=body).status_code == 201


def test_a_phone_number_is_found_in_any_spelling(server: Server, database: Database, acme: Organization) -> None:
    database.sql("select admin.set_organization(%s, null, '1')", acme.id, login="leads_operator")
    with server.client(acme.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "p@example.com", "phone": "(555) 010-4477"}).json()["id"]
        for spelling in ("+15550104477", "555-010-4477", "1 555 010 4477", "+1 (555) 010 4477 ext. 3"):
            found = client.get("/leads", params={"phone": spelling}).json()["data"]
            assert [item["id"] for item in found] == [lead], spelling
        # A plus sign that isn't percent-encoded arrives as a space.
        assert len(client.get("/leads?phone=+15550104477").json()["data"]) == 1
        assert client.get("/leads", params={"phone": "5550104478"}).json()["data"] == []
        assert client.get("/leads", params={"phone": "5550104477", "email": "q@example.com"}).json()["data"] == []
        assert len(client.get("/leads", params={"phone": "5550104477", "email": "p@example.com"}).json()["data"]) == 1
        for query, field, code in (
            ({"phone": "x"}, "phone", "invalid_phone"),
            ({"phone": "911\x01"}, "phone", "invalid_phone"),
            ({"reference": "\u200b"}, "reference", "blank"),
            ({"reference": "a\x9bb"}, "reference", "control_character"),
        ):
            check_problem(client.get("/leads", params=query), 422, "validation_failed", (field, code))
        made = client.post("/leads", json={"email": "c@example.com", "reference": "PO 12, unit 3"}).json()["id"]
        assert [item["id"] for item in client.get("/leads?reference=PO+12,+unit+3").json()["data"]] == [made]
        check_problem(
            client.get("/leads", params={"reference": "x" * 256}), 422, "validation_failed", ("reference", "too_long")
        )


def test_pages_of_a_phone_number(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        made = [
            client.post("/leads", json={"email": f"{n}@example.com", "phone": "+44 20 7946 0333"}).json()["id"]
            for n in range(7)
        ]
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = client.get("/leads", params={"phone": "+442079460333", "limit": 3, "cursor": cursor}).json()
            seen += [item["id"] for item in page["data"]]
            cursor = page["next_cursor"]
        assert seen == made[::-1]
