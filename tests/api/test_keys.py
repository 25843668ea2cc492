"""API keys: an admin lists, creates, rotates and revokes those of the own organization, and never the last one."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.contract import TIME, check_problem
from tests.support.database import Database, Organization, make_key
from tests.support.keys import checksum
from tests.support.process import Leads, Server, printed

FIELDS = (
    "id organization_id name scope environment state key created_at expires_at revoked_at rotated_from last_used_at"
).split()
UNKNOWN = "01a15d22-6c4d-7f50-8b6c-7d8e9fa0b1c2"


@pytest.fixture
def organization(new_organization: Callable[..., Organization]) -> Organization:
    return new_organization()


@pytest.fixture
def client(server: Server, organization: Organization) -> Iterator[httpx.Client]:
    """A client with an admin key."""
    with server.client(organization.keys["admin"]) as client:
        yield client


def create(client: httpx.Client, scope: str = "read", **fields: Any) -> dict[str, Any]:
    response = client.post("/keys", json={"scope": scope, **fields})
    assert response.status_code == 201, response.text
    return dict(response.json())


def keys(client: httpx.Client) -> list[dict[str, Any]]:
    """All keys, the oldest first."""
    items, url = [], "/keys?limit=200"
    while url:
        page = client.get(url).json()
        items += page["data"]
        url = f"/keys?limit=200&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    return items[::-1]


def own_id(client: httpx.Client, scope: str) -> str:
    """The id of the organization's first key with the scope."""
    return next(str(key["id"]) for key in keys(client) if key["scope"] == scope)


def status(server: Server, key: str, path: str = "/health") -> int:
    with server.client(key) as client:
        return client.get(path).status_code


def events(database: Database, organization: Organization) -> list[tuple[str, str, str, str]]:
    """The events about keys, without those of the operator: action, source, key, acting key."""
    rows = database.sql(
        "select e.action, e.source, e.payload ->> 'api_key_id' as of, e.payload ->> 'key_id' as by "
        "from audit.event as e "
        "where e.organization_id = %s and e.action like 'api_key.%%' and e.source <> 'system' order by e.id",
        organization.id,
    )
    return [tuple(row.values()) for row in rows]


def test_a_key_is_shown_once_and_works(
    server: Server, client: httpx.Client, database: Database, organization: Organization
) -> None:
    expiry = (datetime.now(UTC) + timedelta(days=90)).isoformat(timespec="milliseconds")
    created = create(client, "write", name="  The website ", expires_at=expiry)
    assert list(created) == FIELDS
    assert re.fullmatch(r"lk_test_[0-9A-Za-z]{36}", created["key"])
    assert created["key"][-6:] == checksum(created["key"][:-6])
    assert created | {"id": None, "key": None, "created_at": None} == {
        "id": None,
        "organization_id": organization.id,
        "name": "The website",
        "scope": "write",
        "environment": "test",
        "state": "active",
        "key": None,
        "created_at": None,
        "expires_at": expiry.replace("+00:00", "Z"),
        "revoked_at": None,
        "rotated_from": None,
        "last_used_at": None,
    }
    with server.client(created["key"]) as website:
        assert website.get("/health").json()["scopes"] == ["read", "write"]
        assert website.post("/leads", json={"email": "a@example.com"}).status_code == 201
        check_problem(website.get("/keys"), 403, "insufficient_scope")
    listed = keys(client)
    assert [list(key) for key in listed] == [FIELDS] * 4
    assert {key["key"] for key in listed} == {None}
    assert [key["scope"] for key in listed] == ["read", "write", "admin", "write"]
    assert listed[-1] == created | {"key": None}
    acting = own_id(client, "admin")
    assert events(database, organization) == [("api_key.created", "api", created["id"], acting)]


def test_the_list_has_pages_and_the_last_use_and_no_forms(client: httpx.Client, database: Database) -> None:
    assert client.post("/forms", json={}).status_code == 201
    for number in range(4):
        create(client, name=f"key {number}")
    first = client.get("/keys?limit=3")
    assert [key["name"] for key in first.json()["data"]] == ["key 3", "key 2", "key 1"]
    assert first.links["next"]["url"].startswith("/api/v1/keys?")
    rest = client.get(f"/keys?cursor={first.json()['next_cursor']}").json()
    assert [key["name"] for key in rest["data"]] == ["key 0", None, None, None]
    assert rest["next_cursor"] is None
    admin = own_id(client, "admin")
    database.sql(
        "insert into auth.key_use (organization_id, key_id, last_used_at) "
        "select organization_id, id, '2026-04-27T13:22:05.114Z' from auth.api_key where id = %s "
        "on conflict (organization_id, key_id) do update set last_used_at = excluded.last_used_at",
        admin,
    )
    used = {key["id"]: key["last_used_at"] for key in keys(client)}
    assert used.pop(admin) == "2026-04-27T13:22:05.114Z"
    assert set(used.values()) <= {None} | {value for value in used.values() if value and TIME.fullmatch(value)}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("scope", "unknown_scope")]),
        ({"scope": None}, [("scope", "unknown_scope")]),
        ({"scope": "root"}, [("scope", "unknown_scope")]),
        ({"scope": "form"}, [("scope", "unknown_scope")]),
        ({"scope": ["read"]}, [("scope", "unknown_scope")]),
        ({"scope": "read", "name": 1, "expires_at": 1}, [("expires_at", "wrong_type"), ("name", "wrong_type")]),
        ({"scope": "read", "name": " "}, [("name", "invalid_text")]),
        ({"scope": "read", "name": "a\u0007b"}, [("name", "invalid_text")]),
        ({"scope": "read", "name": "a" * 256}, [("name", "invalid_text")]),
        ({"scope": "read", "expires_at": "soon"}, [("expires_at", "invalid_timestamp")]),
        ({"scope": "read", "expires_at": "2026-02-30"}, [("expires_at", "invalid_timestamp")]),
        ({"scope": "read", "expires_at": "2020-01-01"}, [("expires_at", "in_the_past")]),
        ({"scope": "read", "organization_id": UNKNOWN}, [("organization_id", "unknown_field")]),
        ({"scope": "read", "key": "mine", "digest": "x"}, [("digest", "unknown_field"), ("key", "unknown_field")]),
    ],
)
def test_wrong_fields(client: httpx.Client, body: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    check_problem(client.post("/keys", json=body), 422, "validation_failed", *errors)
    assert len(keys(client)) == 3


@pytest.mark.parametrize("hours", [-1, 169, 0.5, "24", True, [], 1e300])
def test_wrong_overlaps(client: httpx.Client, hours: object) -> None:
    path = f"/keys/{own_id(client, 'read')}/rotate"
    body = json.dumps({"overlap_hours": hours})
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    check_problem(answer, 422, "validation_failed", ("overlap_hours", "out_of_range"))
    check_problem(client.post(path, json={"hours": 1}), 422, "validation_failed", ("hours", "unknown_field"))


def test_a_rotation_needs_no_body(client: httpx.Client) -> None:
    """Nor does another request whose body has optional members only. A body needs its media type."""
    before = datetime.now(UTC)
    headers = {"Idempotency-Key": "first"}
    old = own_id(client, "read")
    first = client.post(f"/keys/{old}/rotate", headers=headers)
    assert first.status_code == 201, first.text
    ends = datetime.fromisoformat(next(key["expires_at"] for key in keys(client) if key["id"] == old))
    assert timedelta(0) <= ends - before - timedelta(hours=24) < timedelta(minutes=5)
    # {} is the same request.
    check_problem(client.post(f"/keys/{old}/rotate", json={}, headers=headers), 409, "secret_already_shown")
    path = f"/keys/{first.json()['id']}/rotate"
    blank = client.post(path, content=" ", headers={"Content-Type": "application/json"})
    check_problem(blank, 400, "invalid_body", ("body", "invalid_json"))
    check_problem(client.post(path, content="{}"), 415, "unsupported_media_type")
    assert (
        client.post(path, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}).status_code == 201
    )
    assert client.post("/forms").status_code == 201
    check_problem(client.post("/keys"), 415, "unsupported_media_type")


def test_a_rotated_key_is_valid_until_the_overlap_ends(
    server: Server, client: httpx.Client, database: Database, organization: Organization
) -> None:
    old = create(client, "write", name="Website", expires_at="2100-01-01")
    before = datetime.now(UTC)
    new = client.post(f"/keys/{old['id']}/rotate", json={"overlap_hours": 2}).json()
    assert {field: new[field] for field in ("name", "scope", "state", "rotated_from", "expires_at")} == {
        "name": "Website",
        "scope": "write",
        "state": "active",
        "rotated_from": old["id"],
        "expires_at": "2100-01-01T00:00:00.000Z",
    }
    listed = {key["id"]: key for key in keys(client)}
    left = datetime.fromisoformat(listed[old["id"]]["expires_at"]) - before
    assert timedelta(hours=2) <= left + timedelta(milliseconds=1) <= timedelta(hours=2, minutes=5)
    assert (status(server, old["key"]), status(server, new["key"])) == (200, 200)
    problem = check_problem(client.post(f"/keys/{old['id']}/rotate", json={}), 409, "key_rotated_already")
    assert new["id"] in problem["detail"]

    # The default is 24 hours, and 0 ends the key at once.
    third = client.post(f"/keys/{new['id']}/rotate", json={}).json()
    left = datetime.fromisoformat({key["id"]: key for key in keys(client)}[new["id"]]["expires_at"]) - before
    assert timedelta(hours=24) <= left + timedelta(milliseconds=1) <= timedelta(hours=24, minutes=5)
    fourth = client.post(f"/keys/{third['id']}/rotate", json={"overlap_hours": 0}).json()
    assert [status(server, key["key"]) for key in (old, new, third, fourth)] == [200, 200, 401, 200]
    assert {key["id"]: key["state"] for key in keys(client)}[third["id"]] == "expired"

    # A key that has ended can't be rotated.
    assert client.delete(f"/keys/{fourth['id']}").status_code == 200
    check_problem(client.post(f"/keys/{fourth['id']}/rotate", json={}), 409, "key_not_valid")
    acting = own_id(client, "admin")
    assert events(database, organization) == [
        ("api_key.created", "api", old["id"], acting),
        ("api_key.rotated", "api", new["id"], acting),
        ("api_key.updated", "api", old["id"], acting),
        ("api_key.rotated", "api", third["id"], acting),
        ("api_key.updated", "api", new["id"], acting),
        ("api_key.rotated", "api", fourth["id"], acting),
        ("api_key.updated", "api", third["id"], acting),
        ("api_key.revoked", "api", fourth["id"], acting),
    ]


def test_a_key_that_expires_before_the_overlap_ends_keeps_its_expiry(client: httpx.Client) -> None:
    expiry = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    old = create(client, expires_at=expiry)
    new = client.post(f"/keys/{old['id']}/rotate", json={"overlap_hours": 24}).json()
    listed = {key["id"]: key["expires_at"] for key in keys(client)}
    assert listed[old["id"]] == listed[new["id"]] == expiry


def test_a_deleted_key_is_refused_and_stays_in_the_list(server: Server, client: httpx.Client) -> None:
    created = create(client)
    assert status(server, created["key"]) == 200
    deleted = client.delete(f"/keys/{created['id']}")
    assert deleted.status_code == 200
    assert deleted.json()["state"] == "revoked"
    assert TIME.fullmatch(deleted.json()["revoked_at"])
    assert status(server, created["key"]) == 401
    listed = keys(client)[-1]
    assert listed == deleted.json()
    # A repeat changes nothing.
    assert client.delete(f"/keys/{created['id']}").json() == listed
    assert keys(client)[-1] == listed


def test_a_key_can_delete_and_rotate_itself(
    server: Server, client: httpx.Client, database: Database, organization: Organization
) -> None:
    """The change ends the key within the request: it is recorded with this key all the same."""
    first = own_id(client, "admin")
    second, third = create(client, "admin"), create(client, "admin")
    with server.client(second["key"]) as other:
        answer = other.delete(f"/keys/{second['id']}")
        assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
        check_problem(other.get("/keys"), 401, "unauthorized")
    with server.client(third["key"]) as other:
        answer = other.post(
            f"/keys/{third['id']}/rotate", json={"overlap_hours": 0}, headers={"Idempotency-Key": "itself"}
        )
        assert answer.status_code == 201
        check_problem(other.get("/keys"), 401, "unauthorized")
    assert status(server, answer.json()["key"], "/keys") == 200
    # The claim was kept before the key ended.
    repeat = client.post(
        f"/keys/{third['id']}/rotate", json={"overlap_hours": 0}, headers={"Idempotency-Key": "itself"}
    )
    check_problem(repeat, 409, "secret_already_shown")
    assert events(database, organization)[2:] == [
        ("api_key.revoked", "api", second["id"], second["id"]),
        ("api_key.rotated", "api", answer.json()["id"], third["id"]),
        ("api_key.updated", "api", third["id"], third["id"]),
    ]
    assert events(database, organization)[0][3] == first


def test_the_last_admin_key_cannot_be_deleted(server: Server, client: httpx.Client, database: Database) -> None:
    first = own_id(client, "admin")
    check_problem(client.delete(f"/keys/{first}"), 409, "last_admin_key")
    # A form, a key with another scope, and admin keys that are revoked or expire sooner don't count.
    assert client.post("/forms", json={}).status_code == 201
    create(client, "write")
    revoked = create(client, "admin")
    assert client.delete(f"/keys/{revoked['id']}").status_code == 200
    expiring = create(client, "admin", expires_at="2100-01-01")
    check_problem(client.delete(f"/keys/{first}"), 409, "last_admin_key")
    with server.client(expiring["key"]) as other:
        check_problem(other.delete(f"/keys/{first}"), 409, "last_admin_key")
    # A rotation replaces the key by one that is valid for as long. Then the old key can go, and not the new one.
    second = client.post(f"/keys/{first}/rotate", json={"overlap_hours": 1}).json()
    check_problem(client.delete(f"/keys/{second['id']}"), 409, "last_admin_key")
    assert client.delete(f"/keys/{first}").status_code == 200
    with server.client(second["key"]) as other:
        check_problem(other.delete(f"/keys/{second['id']}"), 409, "last_admin_key")
        # With another one that doesn't expire, it can.
        third = create(other, "admin")
        assert other.delete(f"/keys/{second['id']}").status_code == 200

    # If all expire, the one that is valid the longest stays.
    with server.client(third["key"]) as other:
        database.sql("update auth.api_key set expires_at = '2101-01-01' where id = %s", third["id"])
        check_problem(other.delete(f"/keys/{third['id']}"), 409, "last_admin_key")
        longer = create(other, "admin", expires_at="2101-01-01")
        assert other.delete(f"/keys/{third['id']}").status_code == 200
    with server.client(longer["key"]) as other:
        check_problem(other.delete(f"/keys/{longer['id']}"), 409, "last_admin_key")
        assert other.delete(f"/keys/{expiring['id']}").status_code == 200


def delete(server: Server, key: str, id: str) -> httpx.Response:
    with server.client(key) as client:
        return client.delete(f"/keys/{id}")


def race(calls: list[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """The answers to requests that begin at the same moment."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], httpx.Response]) -> httpx.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@pytest.mark.parametrize("shift", [0, 1], ids=["itself", "the next"])
def test_concurrent_deletions_leave_an_admin_key(
    server: Server, new_organization: Callable[..., Organization], shift: int
) -> None:
    """At the same moment, each of the admin keys deletes itself or the next one."""
    for _ in range(5):
        secret = new_organization().keys["admin"]
        with server.client(secret) as client:
            ids, secrets = [own_id(client, "admin")], [secret]
            for _ in range(3):
                created = create(client, "admin")
                ids.append(created["id"])
                secrets.append(created["key"])
        answers = race([partial(delete, server, key, ids[(n + shift) % len(ids)]) for n, key in enumerate(secrets)])
        for answer in answers:
            if answer.status_code == 409:
                check_problem(answer, 409, "last_admin_key")
            elif answer.status_code != 200:
                check_problem(answer, 401, "unauthorized")
        left = [key for key in secrets if status(server, key, "/keys") == 200]
        assert len(left) == 4 - sum(answer.status_code == 200 for answer in answers)
        assert left
        if shift == 0:
            assert len(left) == 1


@contextmanager
def deleting(database: Database, key: str, id: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """An open transaction, as of another server process, in which a key has deleted a key."""
    with database.connect("leads_api") as connection:
        connection.autocommit = False
        connection.execute("select auth.enter(encode(sha256(%s), 'hex'), 'held', 'admin', false)", [key.encode()])
        connection.execute("select api.delete_key(%s)", [id])
        yield connection


@pytest.mark.parametrize("is_revoked", [False, True], ids=["the others", "its own"])
def test_a_request_waits_for_another_one_that_changes_keys(
    server: Server, database: Database, client: httpx.Client, organization: Organization, is_revoked: bool
) -> None:
    """Two admin keys: one deletes itself, and the other one must not delete itself too. Or one deletes the other one,
    which must not create a key any more.
    """
    first, second = own_id(client, "admin"), create(client, "admin")
    with (
        deleting(database, organization.keys["admin"], second["id"] if is_revoked else first) as holder,
        ThreadPoolExecutor(1) as threads,
        server.client(second["key"]) as other,
    ):
        if is_revoked:
            waiting = threads.submit(other.post, "/keys", json={"scope": "admin"})
        else:
            waiting = threads.submit(other.delete, f"/keys/{second['id']}")
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        holder.commit()
        check_problem(waiting.result(), *((401, "unauthorized") if is_revoked else (409, "last_admin_key")))
    rows = database.sql(
        "select count(*) as n from auth.api_key where organization_id = %s and 'admin' = any (scopes) "
        "and revoked_at is null",
        organization.id,
    )
    assert rows == [{"n": 1}]


def test_an_organization_has_at_most_100_valid_keys(
    server: Server, client: httpx.Client, database: Database, organization: Organization
) -> None:
    admins = [organization.keys["admin"]] + [create(client, "admin")["key"] for _ in range(4)]
    for _ in range(97 - 7):
        make_key(database, organization.id, "read")
    # A form, and keys that have ended, don't count.
    assert client.post("/forms", json={}).status_code == 201
    assert client.delete(f"/keys/{create(client)['id']}").status_code == 200
    clients = [server.client(key) for key in admins]
    answers = race([partial(each.post, "/keys", json={"scope": "read"}) for each in clients])
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409]
    for answer in answers:
        if answer.status_code == 409:
            check_problem(answer, 409, "too_many_keys")
    for each in clients:
        each.close()
    id = own_id(client, "read")
    check_problem(client.post(f"/keys/{id}/rotate", json={}), 409, "too_many_keys")
    # Without an overlap there is no key more.
    assert client.post(f"/keys/{id}/rotate", json={"overlap_hours": 0}).status_code == 201
    assert client.delete(f"/keys/{own_id(client, 'write')}").status_code == 200
    assert create(client)["state"] == "active"


def test_keys_of_others_and_of_forms_are_not_found(
    server: Server, client: httpx.Client, database: Database, new_organization: Callable[..., Organization]
) -> None:
    with server.client(new_organization().keys["admin"]) as other:
        theirs = own_id(other, "read")
        client.post("/forms", json={})
        rows = database.sql("select id from auth.api_key where scopes = '{form}'")
        answers = []
        for id in (UNKNOWN, theirs, *(row["id"] for row in rows)):
            for answer in (
                client.delete(f"/keys/{id}"),
                client.post(f"/keys/{id}/rotate", json={}),
                client.post(f"/keys/{id}/rotate", json={"overlap_hours": 0}, headers={"Idempotency-Key": str(id)}),
            ):
                problem = check_problem(answer, 404, "not_found")
                answers.append(problem | {"request_id": None})
        assert all(answer == answers[0] for answer in answers)
        # The claim of the Idempotency-Key went with the error.
        assert database.sql(
            "select count(*) as n from app.idempotency_key where object_id is null and status is null"
        ) == [{"n": 0}]
        assert {key["state"] for key in keys(other)} == {"active"}


def test_a_repeat_shows_no_key_again(client: httpx.Client) -> None:
    created = client.post("/keys", json={"scope": "read"}, headers={"Idempotency-Key": "k"})
    assert created.status_code == 201
    problem = check_problem(
        client.post("/keys", json={"scope": "read"}, headers={"Idempotency-Key": "k"}), 409, "secret_already_shown"
    )
    assert created.json()["id"] in problem["detail"]
    path = f"/keys/{created.json()['id']}/rotate"
    rotated = client.post(path, json={}, headers={"Idempotency-Key": "l"})
    problem = check_problem(client.post(path, json={}, headers={"Idempotency-Key": "l"}), 409, "secret_already_shown")
    assert rotated.json()["id"] in problem["detail"]
    check_problem(
        client.post(path, json={"overlap_hours": 0}, headers={"Idempotency-Key": "l"}), 422, "idempotency_key_reused"
    )
    assert len(keys(client)) == 5


def test_the_command_line_makes_the_same_keys(
    server: Server, client: httpx.Client, organization: Organization, leads: Leads
) -> None:
    key = printed(leads("keys", "create", "--organization", organization.id, "--scopes", "write", "--name", "cli"))
    assert re.fullmatch(r"lk_test_[0-9A-Za-z]{36}", key)
    assert key[-6:] == checksum(key[:-6])
    id = keys(client)[-1]["id"]
    second = json.loads(leads("keys", "rotate", str(id), "--overlap", "0h", "--json").stdout)
    assert [status(server, each) for each in (key, second["key"])] == [401, 200]
    assert keys(client)[-1] | {"name": "cli", "rotated_from": id} == keys(client)[-1]
    problem = check_problem(client.post(f"/keys/{id}/rotate", json={}), 409, "key_rotated_already")
    assert second["id"] in problem["detail"]


def test_no_role_of_a_request_reads_a_digest(database: Database, organization: Organization) -> None:
    with database.connect() as connection:
        for role in ("leads_exec", "leads_api", "leads_jobs", "leads_operator"):
            connection.execute(f"set role {role}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select digest from auth.api_key")
            connection.execute("reset role")
