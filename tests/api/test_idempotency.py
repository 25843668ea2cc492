"""Idempotency-Key: one effect, and the first response again, for 24 hours."""

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import httpx
import psycopg
import pytest

from tests.support.contract import check_problem
from tests.support.database import Database, Organization, make_key
from tests.support.keys import new_key
from tests.support.process import PATIENT, Server

BODY = {"email": "a@example.com"}


@pytest.fixture
def acme(new_organization: Callable[..., Organization]) -> Organization:
    """An organization without leads."""
    return new_organization()


@pytest.fixture(scope="module")
def patient(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server whose requests wait for each other as long as it takes."""
    return new_server(database, PATIENT)


def leads(database: Database, organization: Organization) -> int:
    """The number of leads, each with exactly one event."""
    (counts,) = database.sql(
        """select count(distinct l.id) as leads, count(e.id) as events
        from app.lead as l left join audit.event as e on e.lead_id = l.id and e.action = 'lead.created'
        where l.organization_id = %s""",
        organization.id,
    )
    assert counts["leads"] == counts["events"]
    return int(counts["leads"])


def what_repeats(response: httpx.Response) -> tuple[int, str, str, bytes]:
    """The parts of a response that a replay repeats."""
    return response.status_code, response.headers["location"], response.headers["etag"], response.content


def test_fifty_concurrent_requests_have_one_effect_and_equal_answers(
    patient: Server, database: Database, new_server: Callable[..., Server], acme: Organization
) -> None:
    another_process = new_server(database, PATIENT)
    for servers in ([patient], [patient, another_process]):
        before = leads(database, acme)
        key = secrets.token_hex(8)
        barrier = threading.Barrier(50)
        with ThreadPoolExecutor(50) as threads:
            clients = [servers[n % len(servers)].client(acme.keys["write"]) for n in range(50)]

            def post(client: httpx.Client, key: str = key, barrier: threading.Barrier = barrier) -> httpx.Response:
                barrier.wait()
                return client.post("/leads", json=BODY, headers={"Idempotency-Key": key})

            answers = list(threads.map(post, clients))
            for client in clients:
                client.close()
        assert leads(database, acme) == before + 1
        assert len({what_repeats(answer) for answer in answers}) == 1
        assert answers[0].status_code == 201
        replayed = Counter(answer.headers.get("idempotency-replayed") for answer in answers)
        assert replayed == {None: 1, "true": 49}
        assert len({answer.headers["x-request-id"] for answer in answers}) == 50


def test_a_repeat_gets_the_first_answer_even_after_a_change(
    server: Server, database: Database, acme: Organization
) -> None:
    with server.client(acme.keys["write"]) as client:
        first = client.post("/leads", json=BODY, headers={"Idempotency-Key": "k"})
        assert "idempotency-replayed" not in first.headers
        path = first.headers["location"].removeprefix("/api/v1")
        assert client.get(path).headers["etag"] == first.headers["etag"]
        client.patch(path, json={"lead_score": 50})
        again = client.post("/leads", json=BODY, headers={"Idempotency-Key": "k"})
        assert what_repeats(again) == what_repeats(first)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["content-type"] == first.headers["content-type"]
        # Another key of the same organization, too.
        with server.client(acme.keys["admin"]) as admin:
            assert what_repeats(admin.post("/leads", json=BODY, headers={"Idempotency-Key": "k"})) == what_repeats(
                first
            )
        assert client.post("/leads", json=BODY).status_code == 201
    assert leads(database, acme) == 2


def test_a_repeated_patch_changes_nothing_and_gets_the_first_answer(
    server: Server, database: Database, acme: Organization
) -> None:
    with server.client(acme.keys["write"]) as client:
        created = client.post("/leads", json=BODY)
        path = created.headers["location"].removeprefix("/api/v1")
        headers = {"Idempotency-Key": "k", "If-Match": created.headers["etag"]}
        first = client.patch(path, json={"lead_score": 50}, headers=headers)
        assert first.status_code == 200
        assert client.patch(path, json={"lead_score": 60}).status_code == 200
        # The tag is outdated, but the request has succeeded already.
        again = client.patch(path, json={"lead_score": 50}, headers=headers)
        assert (again.status_code, again.headers["etag"], again.content) == (200, first.headers["etag"], first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert client.get(path).json()["lead_score"] == 60
        # Another body, lead, tag or method is another request.
        other = client.post("/leads", json=BODY).headers["location"].removeprefix("/api/v1")
        for answer in (
            client.patch(path, json={"lead_score": 51}, headers=headers),
            client.patch(other, json={"lead_score": 50}, headers=headers),
            client.patch(path, json={"lead_score": 50}, headers=headers | {"If-Match": "*"}),
            client.patch(path, json={"lead_score": 50}, headers={"Idempotency-Key": "k"}),
            client.post("/leads", json={"lead_score": 50}, headers={"Idempotency-Key": "k"}),
        ):
            check_problem(answer, 422, "idempotency_key_reused")
    updates = database.sql("select 1 from audit.event where organization_id = %s and action = 'lead.updated'", acme.id)
    assert len(updates) == 2


def test_a_refused_patch_leaves_the_key_free(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers["Idempotency-Key"] = "k"
        path = client.post("/leads", json=BODY, headers={"Idempotency-Key": "other"}).headers["location"]
        path = path.removeprefix("/api/v1")
        check_problem(
            client.patch(path, json={"lead_score": 1}, headers={"If-Match": '"0"'}), 412, "precondition_failed"
        )
        check_problem(client.patch(path, json={"email": 1}), 422, "validation_failed", ("email", "wrong_type"))
        for id in ("9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "none"):
            check_problem(client.patch(f"/leads/{id}", json={"lead_score": 1}), 404, "not_found")
        first = client.patch(path, json={"lead_score": 2})
        assert first.status_code == 200
        assert "idempotency-replayed" not in first.headers


def test_another_request_with_the_key_is_422(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers.update({"Idempotency-Key": "k", "Content-Type": "application/json"})
        body = b'{"email": "a@example.com"}'
        assert client.post("/leads", content=body).status_code == 201
        # Bytes are compared, not their meaning.
        for content in (b'{"email":"a@example.com"}', b'{"email": "b@example.com"}', b"{}", b'{"email": 1}'):
            check_problem(client.post("/leads", content=content), 422, "idempotency_key_reused")
        assert client.post("/leads", content=body).headers["idempotency-replayed"] == "true"
        # A malformed request is refused first.
        check_problem(client.post("/leads", content=b"{"), 400, "invalid_body", ("body", "invalid_json"))
    assert leads(database, acme) == 1


def test_a_refusal_is_not_kept(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers["Idempotency-Key"] = "k"
        for body in ({"email": "nobody"}, {}, {"email": "a@example.com", "pipeline_stage": "nope"}):
            for _ in range(2):
                answer = client.post("/leads", json=body)
                assert answer.status_code == 422
                assert answer.json()["code"] == "validation_failed"
        check_problem(client.post("/leads", content=b"{}"), 415, "unsupported_media_type")
        assert database.sql("select 1 from app.idempotency_key where organization_id = %s", acme.id) == []
        created = client.post("/leads", json=BODY)
        assert created.status_code == 201
        assert "idempotency-replayed" not in created.headers
    assert leads(database, acme) == 1


def test_a_key_belongs_to_one_organization(server: Server, new_organization: Callable[..., Organization]) -> None:
    ids = []
    for organization in (new_organization(), new_organization()):
        with server.client(organization.keys["write"]) as client:
            answer = client.post("/leads", json=BODY, headers={"Idempotency-Key": "the same"})
            assert "idempotency-replayed" not in answer.headers
            assert answer.json()["organization_id"] == organization.id
            ids.append(answer.json()["id"])
    assert ids[0] != ids[1]


def test_the_api_key_and_its_scope_are_checked_before_a_replay(
    server: Server, database: Database, acme: Organization
) -> None:
    key = make_key(database, acme.id, "write")
    headers = {"Idempotency-Key": "k"}
    with server.client(key) as client:
        assert client.post("/leads", json=BODY, headers=headers).status_code == 201
        database.sql(
            "update auth.api_key set revoked_at = now() where id = (select max(id::text)::uuid from auth.api_key)"
        )
        check_problem(client.post("/leads", json=BODY, headers=headers), 401, "unauthorized")
    for other_key, status, code in (
        (acme.keys["read"], 403, "insufficient_scope"),
        (new_key("test"), 401, "unauthorized"),
    ):
        with server.client(other_key) as client:
            check_problem(client.post("/leads", json=BODY, headers=headers), status, code)


def test_a_key_is_new_again_after_24_hours(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:

        def post(key: str, email: str = "a@example.com") -> httpx.Response:
            return client.post("/leads", json={"email": email}, headers={"Idempotency-Key": key})

        def age(interval: str) -> None:
            database.sql(
                "update app.idempotency_key set created_at = now() - %s::interval where organization_id = %s",
                interval,
                acme.id,
            )

        first = post("k")
        age("23 hours 59 minutes")
        assert what_repeats(post("k")) == what_repeats(first)
        check_problem(post("k", "b@example.com"), 422, "idempotency_key_reused")
        age("24 hours 1 second")
        second = post("k", "b@example.com")
        assert second.status_code == 201
        assert "idempotency-replayed" not in second.headers
        assert what_repeats(post("k", "b@example.com")) == what_repeats(second)
        check_problem(post("k"), 422, "idempotency_key_reused")

        # Each claim deletes some of the expired keys.
        for n in range(12):
            post(f"old{n}")
        age("25 hours")
        post("new")
        post("newer")
        rows = database.sql("select count(*) from app.idempotency_key where organization_id = %s", acme.id)
        assert rows == [{"count": 2}]


def test_neither_the_key_nor_its_plain_digest_is_stored(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.post("/leads", json=BODY, headers={"Idempotency-Key": "ada@example.com"})
    (row,) = database.sql(
        """select key_digest = sha256('ada@example.com') as is_plain, k::text as all
        from app.idempotency_key as k where organization_id = %s""",
        acme.id,
    )
    assert row["is_plain"] is False
    assert "ada@" not in row["all"]


GOOD_KEYS = [
    "a",
    "a" * 255,
    " ~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./".strip(),
    "a b",
    "8e03978e-40d5-43dd-bc93-6894a57f9324",
]
BAD_KEYS = ["", "a" * 256, "clé", "\u00a0", "a\tb"]


def test_a_key_is_1_to_255_printable_characters(server: Server, database: Database, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        for key in GOOD_KEYS:
            created = client.post("/leads", json=BODY, headers={"Idempotency-Key": key})
            again = client.post("/leads", json=BODY, headers={"Idempotency-Key": key})
            assert what_repeats(again) == what_repeats(created)
        for key in BAD_KEYS:
            answer = client.post("/leads", json=BODY, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
            check_problem(answer, 400, "invalid_parameter", ("Idempotency-Key", "invalid_idempotency_key"))
    assert leads(database, acme) == len(GOOD_KEYS)


def test_a_get_ignores_the_header(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers["Idempotency-Key"] = "k"
        path = client.post("/leads", json=BODY).headers["location"].removeprefix("/api/v1")
        for n in (1, 2):
            patched = client.patch(path, json={"lead_score": n}, headers={"Idempotency-Key": f"k{n}"})
            assert patched.json()["lead_score"] == n
            assert client.get(path).json()["lead_score"] == n


def hold(database: Database, organization: Organization, key: str) -> psycopg.Connection[dict[str, object]]:
    """An open transaction, as of another server process,
    that has created the lead under the key.
    """
    connection = database.connect("leads_api")
    connection.autocommit = False
    connection.execute(
        "select auth.enter(encode(sha256(%s), 'hex'), 'held', 'write', false)", [organization.keys["write"].encode()]
    )
    connection.execute("select api.create_lead(%s, %s, 5000)", [json.dumps(BODY), key])
    return connection


def test_repeats_wait_for_the_first_and_get_its_answer_and_block_no_other_request(
    patient: Server, database: Database, acme: Organization
) -> None:
    with (
        hold(database, acme, "k") as holder,
        patient.client(acme.keys["write"]) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        content, headers = json.dumps(BODY), {"Idempotency-Key": "k", "Content-Type": "application/json"}
        # Twice the number of connections.
        repeats = [threads.submit(client.post, "/leads", content=content, headers=headers) for _ in range(8)]
        wait(repeats, 0.5)
        assert client.get("/health").status_code == 200
        assert not any(repeat.done() for repeat in repeats)
        holder.commit()
        answers = [repeat.result() for repeat in repeats]
    assert {answer.headers["idempotency-replayed"] for answer in answers} == {"true"}
    assert len({what_repeats(answer) for answer in answers}) == 1
    assert leads(database, acme) == 1


def test_a_repeat_takes_the_place_of_a_first_request_that_gives_up(
    patient: Server, database: Database, acme: Organization
) -> None:
    with (
        hold(database, acme, "k") as holder,
        patient.client(acme.keys["write"]) as client,
        ThreadPoolExecutor(2) as threads,
    ):
        repeats = [threads.submit(client.post, "/leads", json=BODY, headers={"Idempotency-Key": "k"}) for _ in range(2)]
        wait(repeats, 0.3)
        holder.rollback()
        answers = [repeat.result() for repeat in repeats]
    assert Counter(answer.headers.get("idempotency-replayed") for answer in answers) == {None: 1, "true": 1}
    assert len({what_repeats(answer) for answer in answers}) == 1
    assert leads(database, acme) == 1


def test_a_repeat_is_409_after_5_seconds_while_the_first_request_runs(
    server: Server, database: Database, acme: Organization
) -> None:
    content = json.dumps(BODY)

    def post(delay: float) -> tuple[httpx.Response, float]:
        time.sleep(delay)
        start = time.monotonic()
        with server.client(acme.keys["write"]) as client:
            headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
            answer = client.post("/leads", content=content, headers=headers)
            return answer, time.monotonic() - start

    # The first waits in the database, the second in the server, the third first in the server.
    with hold(database, acme, "k") as holder, ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(post, (0.0, 0.2, 2.5)))
        for answer, seconds in answers:
            check_problem(answer, 409, "idempotency_in_progress")
            assert seconds > 4.5
        # Requests with other keys or without a key don't wait.
        with server.client(acme.keys["write"]) as client:
            assert client.post("/leads", json=BODY, headers={"Idempotency-Key": "l"}).status_code == 201
            assert client.post("/leads", json=BODY).status_code == 201
        holder.commit()
    answer, _ = post(0)
    assert answer.status_code == 201
    assert answer.headers["idempotency-replayed"] == "true"
    assert leads(database, acme) == 3
