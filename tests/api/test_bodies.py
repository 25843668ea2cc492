"""The bodies, key for key and in order, as the product's description shows them."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.contract import CHANGE, EVENT, ITEM, TIME, UUID, WHOLE, check_headers
from tests.support.database import Database, Organization, make_key
from tests.support.process import Server

ORGANIZATION = "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91"
LEAD = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"

PAGE = """\
{
"data": [
{
"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18",
"organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91",
"name": "Sarah Mitchell",
"company": null,
"email": "sarah.mitchell@example.com",
"source": "google_ads",
"lead_score": 87,
"pipeline_stage": "qualified",
"industry": null,
"company_size": null,
"created_at": "2026-04-27T13:22:05.114Z",
"updated_at": "2026-04-27T13:22:09.218Z"
}
],
"next_cursor": "eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS\
0zYzBlN2Q0YjJmMTgifQ"
}
"""

ONE = """
{
"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18",
"organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91",
"name": "Sarah Mitchell",
"company": null,
"email": "sarah.mitchell@example.com",
"source": "google_ads",
"lead_score": 87,
"pipeline_stage": "qualified",
"industry": "residential",
"company_size": null,
"pain_points": "Recurring basement moisture after spring rain",
"timeline": "this_week",
"budget_range": null,
"ai_reasoning": "High urgency: water damage signal, recent storm event, in-radius",
"qualification_completed_at": "2026-04-27T13:22:09.218Z",
"created_at": "2026-04-27T13:22:05.114Z",
"updated_at": "2026-04-27T13:22:09.218Z"
}
"""

CURSOR = '{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'


def compact(text: str) -> str:
    """The same JSON without white space. The keys keep their order."""
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


@pytest.fixture
def seed_key(database: Database) -> str:
    """A key of the organization in the product's description,
    which has the described lead and an older one.
    """
    database.sql(
        "insert into app.organization (organization_id, name) values (%s, 'Acme') on conflict do nothing", ORGANIZATION
    )
    database.sql(
        """insert into app.lead (
          id, organization_id, name, email, source, lead_score, pipeline_stage, industry, pain_points, timeline,
          ai_reasoning, qualification_completed_at, created_at, updated_at
        ) values (
          %s, %s, 'Sarah Mitchell', 'sarah.mitchell@example.com', 'google_ads', 87, 'qualified', 'residential',
          'Recurring basement moisture after spring rain', 'this_week',
          'High urgency: water damage signal, recent storm event, in-radius',
          '2026-04-27 13:22:09.218Z', '2026-04-27 13:22:05.114Z', '2026-04-27 13:22:09.218Z'
        ) on conflict do nothing""",
        LEAD,
        ORGANIZATION,
    )
    database.sql(
        """insert into app.lead (id, organization_id, email, created_at) values
          ('00000000-0000-4000-8000-000000000001', %s, 'older@example.com', '2026-04-27 13:22:05.113Z')
        on conflict do nothing""",
        ORGANIZATION,
    )
    return make_key(database, ORGANIZATION, "write", "live")


def test_a_page_equals_the_documented_one_byte_for_byte(server: Server, seed_key: str) -> None:
    with server.client(seed_key) as client:
        page = client.get("/leads", params={"limit": 1})
    assert page.status_code == 200
    check_headers(page)
    assert page.headers["content-type"] == "application/json"
    # The description shows one lead twice: without and with its industry.
    assert page.text == compact(PAGE).replace('"industry":null', '"industry":"residential"')


def test_a_lead_equals_the_documented_one_byte_for_byte(server: Server, seed_key: str) -> None:
    with server.client(seed_key) as client:
        answer = client.get(f"/leads/{LEAD}")
    assert answer.status_code == 200
    check_headers(answer)
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == compact(ONE)


def decoded(cursor: str) -> str:
    assert "=" not in cursor
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


def test_the_documented_cursor_is_accepted_and_a_new_one_has_its_form(server: Server, seed_key: str) -> None:
    assert decoded(json.loads(PAGE)["next_cursor"]) == CURSOR
    with server.client(seed_key) as client:
        cursor = client.get("/leads", params={"limit": 1}).json()["next_cursor"]
        assert decoded(cursor) == CURSOR
        rest = client.get("/leads", params={"cursor": json.loads(PAGE)["next_cursor"]}).json()
    assert [lead["email"] for lead in rest["data"]] == ["older@example.com"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("id", ["fbfb6fbf-3e3f-4fff-bfff-ffffffffffff", "00000000-0000-4000-8000-000000000002"])
def test_a_cursor_is_unpadded_base64url_of_compact_json(
    server: Server, database: Database, new_organization: Callable[..., Organization], id: str
) -> None:
    acme = new_organization()
    database.sql(
        """insert into app.lead (id, organization_id, email, created_at) values
          (%s, %s, 'a@example.com', '2026-01-01Z'), (app.new_id(), %s, 'b@example.com', '2025-12-31Z')""",
        id,
        acme.id,
        acme.id,
    )
    with server.client(acme.keys["read"]) as client:
        cursor = client.get("/leads", params={"limit": 1}).json()["next_cursor"]
    assert decoded(cursor) == f'{{"created_at":"2026-01-01T00:00:00.000Z","id":"{id}"}}'


def test_a_created_lead_is_returned_as_documented(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        answer = client.post(
            "/leads",
            json={
                "name": "Sarah Mitchell",
                "email": "sarah.mitchell@example.com",
                "source": "website",
                "industry": "residential",
                "pipeline_stage": "new",
            },
        )
        lead = answer.json()
        assert answer.status_code == 201
        check_headers(answer)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["location"] == f"/api/v1/leads/{lead['id']}"
        assert list(lead) == ITEM
        assert UUID.fullmatch(lead["id"])
        assert TIME.fullmatch(lead["created_at"])
        assert lead == {
            "id": lead["id"],
            "organization_id": acme.id,
            "name": "Sarah Mitchell",
            "company": None,
            "email": "sarah.mitchell@example.com",
            "source": "website",
            "lead_score": 0,
            "pipeline_stage": "new",
            "industry": "residential",
            "company_size": None,
            "created_at": lead["created_at"],
            "updated_at": lead["created_at"],
        }
        whole = client.get(answer.headers["location"].removeprefix("/api/v1")).json()
        assert list(whole) == WHOLE
        assert whole == lead | dict.fromkeys(set(WHOLE) - set(ITEM))
        assert client.get("/leads").json() == {"data": [lead], "next_cursor": None}


def test_a_changed_lead_is_returned_as_documented(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        created = client.post(
            "/leads",
            json={"name": "Sarah Mitchell", "email": "s@example.com", "lead_score": 87, "source": "google_ads"},
        ).json()
        changed = client.patch(f"/leads/{created['id']}", json={"pipeline_stage": "won", "lead_score": 92})
        assert changed.status_code == 200
        check_headers(changed)
        assert changed.headers["content-type"] == "application/json"
        lead = changed.json()
        assert list(lead) == CHANGE
        assert TIME.fullmatch(lead["updated_at"])
        assert lead["updated_at"] >= created["updated_at"]
        expected: dict[str, Any] = {key: created[key] for key in CHANGE}
        assert lead == expected | {"pipeline_stage": "won", "lead_score": 92, "updated_at": lead["updated_at"]}


def test_a_merge_patch_clears_nulls_and_keeps_the_fields_that_it_omits(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    everything = {
        "name": "Ada",
        "company": "Analytical Engines",
        "email": "ada@example.com",
        "source": "website",
        "lead_score": 50,
        "pipeline_stage": "contacted",
        "industry": "computing",
        "company_size": "2",
        "pain_points": "cards",
        "timeline": "this_century",
        "budget_range": "£17,000",
        "ai_reasoning": "she wrote to us",
    }
    with server.client(new_organization().keys["write"]) as client:
        id = client.post("/leads", json=everything).json()["id"]
        whole = client.get(f"/leads/{id}").json()
        assert whole | everything == whole
        for field in everything:
            if field not in ("lead_score", "pipeline_stage", "email"):
                cleared = client.patch(
                    f"/leads/{id}",
                    content=json.dumps({field: None}),
                    headers={"Content-Type": "application/merge-patch+json"},
                )
                assert cleared.status_code == 200, cleared.text
                everything[field] = None
                whole = client.get(f"/leads/{id}").json()
                assert whole | everything == whole
        assert client.get("/leads").json()["data"][0]["email"] == "ada@example.com"


def test_qualification_is_stamped_the_first_time_only(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    with server.client(new_organization().keys["write"]) as client:
        id = client.post("/leads", json={"email": "a@example.com"}).json()["id"]
        assert client.get(f"/leads/{id}").json()["qualification_completed_at"] is None
        first = client.patch(f"/leads/{id}", json={"pipeline_stage": "qualified"}).json()["updated_at"]
        for stage in ("won", "qualified"):
            client.patch(f"/leads/{id}", json={"pipeline_stage": stage})
            assert client.get(f"/leads/{id}").json()["qualification_completed_at"] == first
        lead = client.post("/leads", json={"email": "b@example.com", "pipeline_stage": "qualified"}).json()
        reached = client.get(f"/leads/{lead['id']}").json()["qualification_completed_at"]
        assert reached == lead["created_at"]


def test_a_change_is_one_row_in_the_audit_log(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        id = client.post(
            "/leads", json={"email": "a@example.com", "lead_score": 87, "pipeline_stage": "qualified"}
        ).json()["id"]
        client.patch(
            f"/leads/{id}", json={"pipeline_stage": "won", "lead_score": 92}, headers={"X-Request-Id": "change-1"}
        )
        page = client.get("/audit-log", params={"lead_id": id})
        assert list(page.json()) == ["data", "next_cursor"]
        updated, created = page.json()["data"]
        lead = client.get(f"/leads/{id}").json()
        answer = client.get(f"/audit-log/{updated['id']}")
    key_id = database.sql(
        "select id::text from auth.api_key where organization_id = %s and scopes = array['read', 'write']", acme.id
    )[0]["id"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.text in page.text
    assert answer.json() == updated
    assert list(updated) == list(created) == EVENT
    assert UUID.fullmatch(updated["id"])
    assert TIME.fullmatch(updated["created_at"])
    assert updated["organization_id"] == acme.id
    assert (updated["action"], updated["source"], updated["correlation_id"]) == ("lead.updated", "api", "change-1")
    assert json.dumps(updated["payload"], separators=(",", ":")) == (
        f'{{"lead_id":"{id}","diff":{{"pipeline_stage":{{"from":"qualified","to":"won"}},'
        f'"lead_score":{{"from":87,"to":92}}}},"key_id":"{key_id}"}}'
    )
    assert created["action"] == "lead.created"
    assert list(created["payload"]) == ["lead_id", "diff", "key_id"]
    diff = created["payload"]["diff"]
    assert {field: change["to"] for field, change in diff.items()} == {
        "email": "a@example.com",
        "pipeline_stage": "qualified",
        "lead_score": 87,
        "qualification_completed_at": lead["created_at"],
    }
    assert {change["from"] for change in diff.values()} == {None}


def test_a_change_in_sql_is_recorded_as_the_same_row_with_the_login(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        id = client.post("/leads", json={"email": "a@example.com"}).json()["id"]
        client.patch(f"/leads/{id}", json={"lead_score": 5})
        database.sql("update app.lead set lead_score = 6 where organization_id = %s and id = %s", acme.id, id)
        sql, http = client.get("/audit-log", params={"action": "lead.updated"}).json()["data"]
    assert list(sql["payload"]) == ["lead_id", "diff", "key_id", "role"]
    assert (sql["source"], sql["correlation_id"]) == ("sql", None)
    assert (sql["payload"]["key_id"], sql["payload"]["role"]) == (None, "postgres")
    assert sql["payload"]["diff"] == {"lead_score": {"from": 5, "to": 6}}
    assert http["payload"]["diff"] == {"lead_score": {"from": 0, "to": 5}}


def test_health_and_organization_are_returned_as_documented(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        health = client.get("/health").json()
        organization = client.get("/organizations/me").json()
    assert list(health.items()) == [
        ("status", "ok"),
        ("organization_id", acme.id),
        ("environment", "test"),
        ("scopes", ["read", "write"]),
    ]
    assert list(organization) == ["id", "name", "environment", "pipeline_stages", "created_at"]
    assert TIME.fullmatch(organization.pop("created_at"))
    assert organization == {
        "id": acme.id,
        "name": "Acme Restoration",
        "environment": "test",
        "pipeline_stages": ["new", "contacted", "qualified", "proposal", "won", "lost"],
    }


def test_text_of_every_script_is_returned_unchanged(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    name = 'Zoë "Å" \\ 山田 🏚️👩🏽‍🔧 مرحبا \u202ertl\u202c \u2028\r\n\t.'
    with server.client(new_organization().keys["write"]) as client:
        answer = client.post("/leads", json={"name": name, "company": "أ"})
        assert answer.json()["name"] == name
        # UTF-8, not \u escapes.
        assert "山田 🏚" in answer.content.decode()
        assert client.get(f"/leads/{answer.json()['id']}").json()["name"] == name
        event = client.get("/audit-log", params={"lead_id": answer.json()["id"]}).json()["data"][0]
        assert event["payload"]["diff"]["name"] == {"from": None, "to": name}
