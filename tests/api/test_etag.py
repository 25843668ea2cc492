"""Entity tags: a known version is not sent again,
and no client overwrites a change that it has not seen.
"""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.contract import check_headers, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server


@pytest.fixture
def lead(server: Server, acme: Organization) -> str:
    """The path of a lead."""
    with server.client(acme.keys["write"]) as client:
        location: str = client.post("/leads", json={"email": "a@example.com"}).headers["location"]
    return location.removeprefix("/api/v1")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_matching_if_none_match_is_304(server: Server, acme: Organization, lead: str, method: str) -> None:
    with server.client(acme.keys["read"]) as client:
        tag = client.get(lead).headers["etag"]
        assert tag.startswith('"')
        for tags in (tag, f"W/{tag}", "*", f'"a", {tag}', f'"a",W/{tag},"b"', f'W/"x" , {tag}'):
            answer = client.request(method, lead, headers={"If-None-Match": tags})
            assert answer.status_code == 304, tags
            assert answer.content == b""
            assert answer.headers["etag"] == tag
            assert "content-type" not in answer.headers
            check_headers(answer)
        for tag_list in ('"a"', tag.strip('"'), f'"{tag.strip(chr(34))}x"', "", "W/*", f"w/{tag[1:]}"):
            answer = client.request(method, lead, headers={"If-None-Match": tag_list})
            assert answer.status_code == 200, tag_list
            assert answer.headers["etag"] == tag
        # Of several lines, any.
        answer = client.request(method, lead, headers=[("If-None-Match", '"a"'), ("If-None-Match", tag)])
        assert answer.status_code == 304


def test_an_audit_row_has_a_tag_and_a_page_has_none(server: Server, acme: Organization, lead: str) -> None:
    with server.client(acme.keys["read"]) as client:
        event = client.get("/audit-log", params={"limit": 1}).json()["data"][0]["id"]
        tag = client.get(f"/audit-log/{event}").headers["etag"]
        assert client.get(f"/audit-log/{event}", headers={"If-None-Match": tag}).status_code == 304
        assert client.get(f"/audit-log/{event}").headers["etag"] == tag
        for page in ("/leads", "/audit-log"):
            answer = client.get(page, headers={"If-None-Match": "*"})
            assert answer.status_code == 200
            assert "etag" not in answer.headers
        # A missing record has no tag that could match.
        missing = client.get("/leads/9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", headers={"If-None-Match": "*"})
        check_problem(missing, 404, "not_found")


def test_a_matching_if_match_allows_a_change(server: Server, acme: Organization, lead: str) -> None:
    with server.client(acme.keys["write"]) as client:
        for score, form in enumerate(("{}", "*", '{} , "a"', '"a",{}', "W/{0}, {0}"), start=1):
            tag = client.get(lead).headers["etag"]
            answer = client.patch(lead, json={"lead_score": score}, headers={"If-Match": form.format(tag)})
            assert answer.status_code == 200, form
            assert answer.headers["etag"] == client.get(lead).headers["etag"] != tag
        tag = client.get(lead).headers["etag"]
        headers = [("If-Match", '"a"'), ("If-Match", tag)]
        assert client.patch(lead, json={"lead_score": 99}, headers=headers).status_code == 200


def test_an_if_match_that_does_not_match_changes_nothing(
    server: Server, database: Database, acme: Organization, lead: str
) -> None:
    with server.client(acme.keys["write"]) as client:
        stale = client.get(lead).headers["etag"]
        client.patch(lead, json={"lead_score": 1})
        before = client.get(lead)
        events = database.sql("select count(*) from audit.event")
        tag = before.headers["etag"]
        for header in (stale, f"W/{tag}", '"a"', f'{stale}, "a"', '"*"'):
            for change in ({"lead_score": 2}, {"lead_score": 1}, {}):
                answer = client.patch(lead, json=change, headers={"If-Match": header})
                check_problem(answer, 412, "precondition_failed")
                assert "etag" not in answer.headers
        for header in (tag.strip('"'), "", tag[:-1], f"*, {tag}", f"{tag} {tag}"):
            answer = client.patch(lead, json={"lead_score": 2}, headers={"If-Match": header})
            check_problem(answer, 400, "invalid_parameter", ("If-Match", "invalid_entity_tag"))
        after = client.get(lead)
        assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
        assert database.sql("select count(*) from audit.event") == events


@pytest.mark.parametrize(
    ("form", "detail"),
    [
        ("{}", "The record has changed"),
        ("W/{}", "a weak tag never matches"),
        ('"a", W/{}', "a weak tag never matches"),
        ("W/{},{}", "a weak tag never matches"),
        ('"1.12-gzip"', "with a suffix such as -gzip"),
        ('"1.12-br"', "with a suffix such as -gzip"),
    ],
)
def test_a_tag_that_a_proxy_altered_is_not_called_a_change(
    server: Server, acme: Organization, lead: str, form: str, detail: str
) -> None:
    with server.client(acme.keys["write"]) as client:
        tag = client.get(lead).headers["etag"]
        if form in ("{}", "W/{},{}"):
            client.patch(lead, json={"lead_score": 3})
        answer = client.patch(lead, json={"lead_score": 2}, headers={"If-Match": form.replace("{}", tag)})
        problem = check_problem(answer, 412, "precondition_failed")
        assert detail in problem["detail"]
        assert ("has changed since" in problem["detail"]) is (form == "{}")


def test_one_of_ten_concurrent_patches_with_one_tag_succeeds(server: Server, acme: Organization, lead: str) -> None:
    with server.client(acme.keys["write"]) as client:
        for _ in range(5):
            tag = client.get(lead).headers["etag"]
            scores = range(100) if client.get(lead).json()["lead_score"] == 100 else range(1, 101)
            barrier = threading.Barrier(10)

            def race(
                n: int, tag: str = tag, scores: range = scores, barrier: threading.Barrier = barrier
            ) -> httpx.Response:
                with server.client(acme.keys["write"]) as racer:
                    barrier.wait()
                    score = scores[n * 10]
                    return racer.patch(
                        lead, json={"lead_score": score, "timeline": f"{tag}{n}"}, headers={"If-Match": tag}
                    )

            events = len(client.get("/audit-log", params={"action": "lead.updated", "limit": 200}).json()["data"])
            with ThreadPoolExecutor(10) as threads:
                answers = list(threads.map(race, range(10)))
            assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 9}
            winner = next(answer for answer in answers if answer.status_code == 200)
            now = client.get(lead)
            assert winner.headers["etag"] == now.headers["etag"]
            assert now.json()["lead_score"] == winner.json()["lead_score"]
            log = client.get("/audit-log", params={"action": "lead.updated", "limit": 200}).json()["data"]
            assert len(log) == events + 1


def test_a_post_and_a_patch_return_the_tag_of_a_get(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        created = client.post("/leads", json={"email": "a@example.com"})
        path = created.headers["location"].removeprefix("/api/v1")
        for change in (None, {"lead_score": 1}, {}):
            answer = created if change is None else client.patch(path, json=change)
            assert answer.headers["etag"] == client.get(path).headers["etag"] == client.head(path).headers["etag"]
            assert client.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_two_changes_within_a_millisecond_give_two_tags(
    server: Server, database: Database, acme: Organization, lead: str
) -> None:
    id = lead.removeprefix("/leads/")
    rows = []
    with server.client(acme.keys["read"]) as client, database.connect() as connection:
        with connection.transaction():
            for score in (1, 2, 1):
                rows += connection.execute(
                    """update app.lead set lead_score = %s where id = %s
                    returning updated_at, app.lead_etag(revision) as tag""",
                    [score, id],
                ).fetchall()
        assert client.get(lead).headers["etag"] == rows[-1]["tag"]
    assert len({row["updated_at"] for row in rows}) == 1
    assert len({row["tag"] for row in rows}) == 3


def test_a_patch_that_changes_nothing_writes_nothing(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        created = client.post("/leads", json={"email": "a@example.com", "name": "Ada", "lead_score": 87})
        path = created.headers["location"].removeprefix("/api/v1")
        before = client.get(path)
        (row,) = database.sql("select xmin::text, ctid::text from app.lead where id = %s", created.json()["id"])
        for change in (
            {},
            {"lead_score": 87},
            {"lead_score": 87.0},
            {"name": "  Ada "},
            {"company": None},
            {"email": "a@example.com", "pipeline_stage": "new"},
        ):
            answer = client.patch(path, json=change)
            assert answer.status_code == 200
            assert answer.json()["updated_at"] == created.json()["updated_at"]
            assert answer.headers["etag"] == created.headers["etag"]
        after = client.get(path)
        assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
        events = client.get("/audit-log", params={"lead_id": created.json()["id"]}).json()["data"]
        assert [event["action"] for event in events] == ["lead.created"]
        assert database.sql("select xmin::text, ctid::text from app.lead where id = %s", created.json()["id"]) == [row]


def test_concurrent_patches_without_a_tag_are_applied_one_after_another(
    server: Server, acme: Organization, lead: str
) -> None:
    with server.client(acme.keys["write"]) as client:
        with ThreadPoolExecutor(10) as threads:
            answers = list(threads.map(lambda n: client.patch(lead, json={"lead_score": n}), range(1, 21)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.headers["etag"] for answer in answers}) == 20
        id = lead.removeprefix("/leads/")
        events = client.get("/audit-log", params={"lead_id": id, "action": "lead.updated"}).json()["data"]
        assert len(events) == 20
        # Each change begins with the result of another one, from the first score to the last.
        steps = {
            event["payload"]["diff"]["lead_score"]["from"]: event["payload"]["diff"]["lead_score"]["to"]
            for event in events
        }
        score = 0
        while score in steps:
            score = steps.pop(score)
        assert not steps
        assert score == client.get(lead).json()["lead_score"]
