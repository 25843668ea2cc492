"""A client that follows GET /leads?order=updated_at misses no change."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.contract import check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.pushing import wait_for, working


@pytest.fixture(scope="module")
def sealing(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker that seals the audit log."""
    with working(database, tmp_path_factory.mktemp("worker")):
        yield


class Follower:
    """A client's copy of the leads: their timelines, by id."""

    def __init__(self, client: httpx.Client, **parameters: Any) -> None:
        self.client = client
        self.parameters = {"order": "updated_at", "limit": 3, **parameters}
        self.leads: dict[str, str] = {}
        self.cursor: str | None = None

    def poll(self) -> int:
        """Reads a page. Returns the number of its leads."""
        cursor = {"cursor": self.cursor} if self.cursor else {}
        answer = self.client.get("/leads", params={**self.parameters, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        self.cursor = page["next_cursor"]
        for item in page["data"]:
            # The list does not show the timeline.
            self.leads[item["id"]] = self.client.get(f"/leads/{item['id']}").json()["timeline"]
        return len(page["data"])


def test_a_change_of_a_long_transaction_is_not_missed(
    server: Server, database: Database, new_organization: Callable[..., Organization], sealing: None
) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client, database.connect() as slow:
        slow.execute("begin")
        early = slow.execute(
            "insert into app.lead (organization_id, email, timeline) values (%s, 'a@example.com', 'slow') returning id",
            [acme.id],
        ).fetchall()[0]["id"]
        later = client.post("/leads", json={"email": "fast@example.com", "timeline": "fast"}).json()["id"]
        follower = Follower(client)
        wait_for(lambda: follower.poll() >= 0 and later in follower.leads)
        assert str(early) not in follower.leads
        for _ in range(3):
            follower.poll()
        slow.execute("commit")
        wait_for(lambda: follower.poll() >= 0 and str(early) in follower.leads)
        # A walk that begins between its start and its commit has it too.
        restarted = Follower(client, updated_since=client.get(f"/leads/{later}").json()["updated_at"])
        restarted.poll()
        assert str(early) in restarted.leads
        # It was created before the other one, and comes after it.
        newest = [lead["id"] for lead in client.get("/leads").json()["data"]]
        assert newest == [later, str(early)]


def test_a_follower_has_every_change_of_concurrent_writers(
    server: Server, new_organization: Callable[..., Organization], sealing: None
) -> None:
    acme = new_organization()

    def write(number: int) -> None:
        with server.client(acme.keys["write"]) as client:
            for turn in range(10):
                lead = client.post("/leads", json={"email": f"{number}-{turn}@example.com"}).json()["id"]
                for word in ("soon", "now"):
                    assert client.patch(f"/leads/{lead}", json={"timeline": word}).status_code == 200

    with server.client(acme.keys["read"]) as client:
        follower = Follower(client)
        writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            follower.poll()
        # The sealer needs a second.
        wait_for(lambda: follower.poll() >= 0 and list(follower.leads.values()) == ["now"] * 40, 120)
        assert list(follower.leads.values()) == ["now"] * 40
        everything = [lead["id"] for lead in client.get("/leads?limit=200").json()["data"]]
        assert set(follower.leads) == set(everything)


def test_updated_since_starts_the_walk(
    server: Server, database: Database, new_organization: Callable[..., Organization], sealing: None
) -> None:
    acme = new_organization()
    with server.client(acme.keys["write"]) as client:
        old = client.post("/leads", json={"email": "old@example.com"}).json()
        unsealed = "select count(*) as n from audit.unsealed where organization_id = %s"
        wait_for(lambda: database.sql(unsealed, acme.id)[0]["n"] == 0)
        time.sleep(0.01)
        new = client.post("/leads", json={"email": "new@example.com"}).json()
        follower = Follower(client, updated_since=new["updated_at"])
        wait_for(lambda: follower.poll() == 1)
        assert set(follower.leads) == {new["id"]}
        everything = Follower(client, updated_since=old["updated_at"])
        everything.poll()
        assert set(everything.leads) == {old["id"], new["id"]}


def test_wrong_parameters(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.post("/leads", json={"email": "a@example.com"})
        client.post("/leads", json={"email": "b@example.com"})
        check_problem(client.get("/leads?order=name"), 400, "invalid_parameter", ("order", "unknown_order"))
        check_problem(
            client.get("/leads?order=updated_at&cursor=x"), 400, "invalid_parameter", ("cursor", "invalid_cursor")
        )
        check_problem(
            client.get("/leads?updated_since=2026-01-01&order=created_at"),
            422,
            "validation_failed",
            ("order", "not_combinable"),
        )
        check_problem(
            client.get("/leads?order=updated_at&source=web"), 422, "validation_failed", ("source", "not_combinable")
        )
        cursor = client.get("/leads?limit=1").json()["next_cursor"]
        check_problem(
            client.get("/leads", params={"order": "updated_at", "cursor": cursor}),
            422,
            "validation_failed",
            ("cursor", "invalid_cursor"),
        )
        changes = client.get("/leads?order=updated_at").json()["next_cursor"]
        assert client.get("/leads", params={"cursor": changes}).status_code == 200
        check_problem(
            client.get("/leads", params={"order": "created_at", "cursor": changes}),
            422,
            "validation_failed",
            ("order", "not_combinable"),
        )


def test_the_cursor_of_another_database_has_expired(
    server: Server, new_organization: Callable[..., Organization], sealing: None
) -> None:
    ours, theirs = new_organization(), new_organization()
    with server.client(ours.keys["write"]) as client:
        client.post("/leads", json={"email": "a@example.com"})
        follower = Follower(client)
        wait_for(lambda: follower.poll() == 1)
    with server.client(theirs.keys["write"]) as client:
        for _ in range(3):
            client.post("/leads", json={"email": "b@example.com"})
        check_problem(client.get("/leads", params={"cursor": follower.cursor}), 400, "cursor_expired")
