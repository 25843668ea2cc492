"""DELETE /leads/{id}, and GET /leads/{id}/everything."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.contract import check_headers, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server


@pytest.fixture
def lead(server: Server, acme: Organization) -> str:
    """The path of a lead with a signal and a score."""
    with server.client(acme.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "a@example.com", "details": {"a": 1}}).json()["id"]
        assert client.post(f"/leads/{lead}/signals", json={"type": "storm_event"}).status_code == 201
        assert client.post(f"/leads/{lead}/score").status_code == 200
    return f"/leads/{lead}"


def test_a_lead_is_erased_once(server: Server, acme: Organization, lead: str) -> None:
    with server.client(acme.keys["write"]) as client:
        check_problem(client.delete(lead), 403, "insufficient_scope")
    with server.client(acme.keys["admin"]) as client:
        with ThreadPoolExecutor(8) as executor:
            answers = list(executor.map(lambda _: client.delete(lead), range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7
        (erased,) = (answer for answer in answers if answer.status_code == 200)
        check_headers(erased)
        assert erased.json() == {"id": lead.removeprefix("/leads/"), "status": "erased", "copies": [], "webhooks": []}
        check_problem(client.get(lead), 404, "not_found")
        check_problem(client.get(f"{lead}/everything"), 404, "not_found")
        events = client.get("/audit-log", params={"lead_id": lead.removeprefix("/leads/")}).json()["data"]
        assert events[0]["action"] == "lead.erased"
        assert events[-1]["payload"]["diff"]["email"] == {"erased": True}
        assert client.get("/audit-log/verify").json()["holds"]
        check_problem(client.delete("/leads/nonsense"), 404, "not_found")


def test_a_locked_lead_is_503(server: Server, database: Database, acme: Organization, lead: str) -> None:
    with database.connect() as connection, server.client(acme.keys["admin"]) as client:
        connection.execute("begin")
        connection.execute("update app.lead set timeline = 'soon' where id = %s", [lead.removeprefix("/leads/")])
        check_problem(client.delete(lead), 503, "unavailable")
        connection.execute("rollback")
        assert client.delete(lead).status_code == 200


def test_everything_about_a_lead(server: Server, acme: Organization, lead: str) -> None:
    with server.client(acme.keys["read"]) as client:
        check_problem(client.get(f"{lead}/everything"), 403, "insufficient_scope")
    with server.client(acme.keys["admin"]) as client:
        answer = client.get(f"{lead}/everything")
        check_headers(answer)
        everything = answer.json()
        assert everything["lead"] == client.get(lead).json()
        assert everything["details"] == client.get(f"{lead}/details").json()
        for name in ("signals", "scores"):
            assert everything[name] == client.get(f"{lead}/{name}").json()["data"]
        events = client.get("/audit-log", params={"lead_id": lead.removeprefix("/leads/")}).json()["data"]
        assert everything["audit_events"] == events
        assert (everything["crm_pushes"], everything["kept_answers"], everything["is_complete"]) == ([], [], True)
        assert everything["webhooks"] == []
