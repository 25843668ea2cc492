"""The move of an organization inside each of the two cells: who answers, who works, and that every step can be
called twice. A subscription between two servers is the mover's, and its tests'.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from app.cli.keys import digest
from tests.cells.carrying import begin, call, carry, finish, move, owned
from tests.support.chain import seal, verdict
from tests.support.contract import check_problem
from tests.support.database import Database, make_organization
from tests.support.keys import new_key
from tests.support.process import Server
from tests.support.webhooks import lease, make_webhook, queue, settle


@pytest.fixture(scope="module")
def source(new_database: Callable[..., Database]) -> Database:
    """The cell that has the organizations."""
    return new_database()


@pytest.fixture(scope="module")
def target(new_database: Callable[..., Database]) -> Database:
    """The cell to which they move."""
    return new_database()


def request(database: Database, key: str, function: str, *arguments: Any, scope: str = "write") -> dict[str, Any]:
    """What a request does in the database. Raises psycopg.Error, with the error's word as its message."""
    claim = hashlib.sha256(key.encode()).hexdigest()
    places = ", ".join(["%s"] * len(arguments))
    with database.connect("leads_api") as connection:
        row = connection.execute(
            f"select (a.r).status, (a.r).body from (select api.{function}({places}) as r"
            " from auth.enter(%s, 'a-request', %s, false) offset 0) as a",
            [*arguments, claim, scope],
        ).fetchone()
    assert row
    return row


def create(database: Database, key: str, email: str, idempotency_key: str | None = None) -> dict[str, Any]:
    """Creates a lead."""
    return request(database, key, "create_lead", f'{{"email":"{email}","name":"Ann","company":"B"}}', idempotency_key)


def refused(database: Database, key: str) -> str:
    """The error of a request."""
    with pytest.raises(psycopg.Error) as caught:
        create(database, key, "refused@example.com")
    return caught.value.diag.message_primary or ""


def test_each_step_can_be_called_twice_and_one_cell_answers(source: Database, target: Database) -> None:
    """The source answers until the fence, the target from its take-over on, and nobody in between."""
    acme = make_organization(source)
    key = acme.keys["write"]
    assert create(source, key, "one@example.com")["status"] == 201
    assert begin(source, target, acme.id) == begin(source, target, acme.id)
    assert create(source, key, "two@example.com", "a key")["status"] == 201
    seal(source)
    for _ in range(2):
        call(source, "admin.drain", acme.id)
    assert create(source, key, "three@example.com")["status"] == 201
    for _ in range(2):
        call(source, "admin.fence", acme.id)
    assert refused(source, key) == "moving"
    finish(source, acme.id)
    # The events of the third lead have no seal, and get none here.
    seal(source)
    carry(source, target, acme.id)
    assert refused(target, key) == "unauthorized"
    assert owned(source, acme.id) == owned(source, acme.id)
    taken = call(target, "admin.take_over", acme.id, owned(source, acme.id))[0]["take_over"]
    assert taken["auth.api_key"] == 3
    assert taken["audit.unsealed"] > 0
    assert call(target, "admin.take_over", acme.id, owned(source, acme.id))[0]["take_over"] == {"is_repeated": True}
    assert refused(source, key) == "moving"
    assert create(target, key, "four@example.com")["status"] == 201
    for _ in range(2):
        call(source, "admin.give_up", acme.id, "second")
    assert refused(source, key) == "unauthorized"
    # The answer that the source has kept, and no second lead.
    assert create(target, key, "two@example.com", "a key")["status"] == 201
    leads = target.sql("select email from app.lead where organization_id = %s order by created_at, id", acme.id)
    assert [lead["email"] for lead in leads] == [f"{name}@example.com" for name in ("one", "two", "three", "four")]
    seal(target)
    assert verdict(target, acme.id)["holds"]
    assert call(source, "admin.placement", acme.id)[0]["placement"] == "moved"
    assert call(target, "admin.placement", acme.id)[0]["placement"] == "here"


def test_a_write_that_runs_at_the_fence_is_waited_for_and_arrives(source: Database, target: Database) -> None:
    """A transaction that has passed auth.enter before the fence commits after it. One that has not written yet is
    refused when it records its change.
    """
    acme = make_organization(source)
    claim = hashlib.sha256(acme.keys["write"].encode()).hexdigest()
    begin(source, target, acme.id)
    with source.connect("leads_api") as written, source.connect("leads_api") as entered:
        for connection in (written, entered):
            connection.execute("begin")
            connection.execute("select auth.enter(%s, 'a-request', 'write', false)", [claim])
        written.execute("""select api.create_lead('{"email": "late@example.com", "name": "Ann"}')""")
        call(source, "admin.fence", acme.id)
        waits = [row["unfinished"] for row in call(source, "admin.unfinished", acme.id)]
        assert len(waits) == 2
        assert all("a transaction of leads_api" in wait for wait in waits)
        with pytest.raises(psycopg.Error, match=r"^unfinished\b"):
            call(source, "admin.owned_rows", acme.id)
        with pytest.raises(psycopg.Error, match=r"^moving\b"):
            entered.execute("""select api.create_lead('{"email": "later@example.com", "name": "Ann"}')""")
        entered.execute("rollback")
        # A transaction that began after the fence is not waited for.
        entered.execute("begin")
        entered.execute("select auth.enter(null, 'a-request', null, true)")
        assert len(call(source, "admin.unfinished", acme.id)) == 1
        written.execute("commit")
        assert call(source, "admin.unfinished", acme.id) == []
        entered.execute("rollback")
    carry(source, target, acme.id)
    call(target, "admin.take_over", acme.id, owned(source, acme.id))
    leads = target.sql("select email from app.lead where organization_id = %s", acme.id)
    assert [lead["email"] for lead in leads] == ["late@example.com"]


def test_a_key_that_is_made_at_the_fence_is_fenced_too(source: Database, target: Database) -> None:
    """The fence waits for the transaction that makes it."""
    acme = make_organization(source)
    begin(source, target, acme.id)
    key = new_key("test")
    with source.connect("leads_operator") as making, ThreadPoolExecutor(1) as pool:
        making.execute("begin")
        making.execute("select admin.create_key(%s, 'write', %s)", [acme.id, digest(key)])
        fenced = pool.submit(call, source, "admin.fence", acme.id)
        # Reads go on while the fence waits.
        assert request(source, acme.keys["read"], "get_organization", scope="read")["status"] == 200
        while not source.sql("select 1 as n from pg_locks where relation = 'auth.api_key'::regclass and not granted"):
            assert not fenced.done()
        making.execute("commit")
        fenced.result(30)
    assert refused(source, key) == "moving"
    with pytest.raises(psycopg.Error, match=r"^moving\b"):
        call(source, "admin.create_key", acme.id, "write", digest(new_key("test")))
    call(source, "admin.unfence", acme.id)
    assert create(source, key, "open@example.com")["status"] == 201
    call(source, "admin.fence", acme.id)
    assert refused(source, key) == "moving"
    call(source, "admin.abort_move", acme.id)
    assert create(source, key, "again@example.com")["status"] == 201
    call(target, "admin.discard_arrival", acme.id)


def test_a_moved_organization_is_worked_on_in_one_cell_only(source: Database, target: Database) -> None:
    """Nothing is sealed, indexed, counted, queued, leased or deleted for it while it arrives, or after it has left."""
    acme = make_organization(source, environment="live")
    key = acme.keys["write"]
    webhook = make_webhook(source, acme)
    lead = json.loads(create(source, key, "ann@example.com", "a key")["body"])["id"]
    queue(source)
    source.sql(
        "update app.idempotency_key set created_at = now() - interval '2 days' where organization_id = %s", acme.id
    )
    begin(source, target, acme.id)
    carry(source, target, acme.id)
    work(target)
    assert target.sql("select 1 as n from app.lead_word where organization_id = %s", acme.id) == []
    assert target.sql("select 1 as n from app.stage_stay where organization_id = %s", acme.id) == []
    assert len(target.sql("select 1 as n from app.idempotency_key where organization_id = %s", acme.id)) == 1
    # Without its webhook, a delivery looks like one that a deletion has left.
    assert len(target.sql("select 1 as n from webhook.delivery where organization_id = %s", acme.id)) > 1
    with pytest.raises(psycopg.Error, match=r"^arriving\b"):
        target.sql("update app.lead set name = 'Eve' where organization_id = %s", acme.id)

    call(source, "admin.fence", acme.id)
    finish(source, acme.id)
    assert lease(source, acme) == []
    work(source)
    assert source.sql("select 1 as n from app.stage_stay where organization_id = %s", acme.id) == []
    taken = call(target, "admin.take_over", acme.id, owned(source, acme.id))[0]["take_over"]
    call(source, "admin.give_up", acme.id, "second")
    work(source)
    assert lease(source, acme) == []
    with pytest.raises(psycopg.Error, match=r"^moved\b"):
        source.sql("update app.lead set name = 'Eve' where organization_id = %s", acme.id)
    work(target)
    assert taken["webhook.endpoint"] == 1
    assert {row["endpoint_id"] for row in lease(target, acme)} == {uuid.UUID(webhook)}
    assert len(target.sql("select 1 as n from app.stage_stay where organization_id = %s", acme.id)) == 1
    found = target.sql("select distinct lead_id::text as id from app.lead_word where organization_id = %s", acme.id)
    assert found == [{"id": lead}]
    assert target.sql("select 1 as n from app.idempotency_key where organization_id = %s", acme.id) == []


def test_a_lease_that_runs_at_the_fence_is_waited_for_and_no_longer(source: Database, target: Database) -> None:
    """A worker settles what it had leased, until the lease ends. Draining keeps new ones away."""
    acme = make_organization(source, environment="live")
    make_webhook(source, acme)
    create(source, acme.keys["write"], "ann@example.com")
    queue(source)
    first = lease(source, acme, 1)[0]
    begin(source, target, acme.id)
    call(source, "admin.drain", acme.id)
    assert lease(source, acme) == []
    assert len(call(source, "admin.unfinished", acme.id)) == 1
    call(source, "admin.fence", acme.id)
    waits = [row["unfinished"] for row in call(source, "admin.unfinished", acme.id)]
    assert [f"the delivery {first['delivery_id']}" in wait for wait in waits] == [True]
    assert settle(source, first, "delivered") == "delivered"
    assert call(source, "admin.unfinished", acme.id) == []
    call(source, "admin.abort_move", acme.id)

    second = lease(source, acme, 1)[0]
    begin(source, target, acme.id)
    call(source, "admin.fence", acme.id)
    source.sql(
        "update webhook.delivery set leased_until = now(), next_attempt_at = now() where id = %s", second["delivery_id"]
    )
    finish(source, acme.id)
    assert settle(source, second, "delivered") is None
    call(source, "admin.abort_move", acme.id)
    while call(target, "admin.discard_arrival", acme.id)[0]["discard_arrival"]:
        pass


def test_a_lead_that_is_erased_during_the_move_stays_erased(source: Database, target: Database) -> None:
    """An erasure is possible while the rows are copied. Behind the fence it is refused. The whole organization can't be
    erased at all, nor anything be imported.
    """
    acme = make_organization(source)
    lead = json.loads(create(source, acme.keys["write"], "ann@example.com")["body"])["id"]
    begin(source, target, acme.id)
    for function, arguments in (
        ("admin.erase_organization", [acme.id]),
        ("admin.begin_import", [acme.id, b"\0" * 32]),
    ):
        with pytest.raises(psycopg.Error, match=r"^move_has_begun\b"):
            call(source, function, *arguments)
    with pytest.raises(psycopg.Error, match=r"^move_has_begun\b"):
        source.sql("select admin.retire_year(2020, 'a', '\\x00', '[]')", login="leads_migrator")
    other = json.loads(create(source, acme.keys["write"], "bea@example.com")["body"])["id"]
    assert call(source, "admin.erase_lead", acme.id, lead)[0]["rows_gone"] > 0
    call(source, "admin.fence", acme.id)
    with pytest.raises(psycopg.Error, match=r"^moving\b"):
        call(source, "admin.erase_lead", acme.id, other)
    finish(source, acme.id)
    carry(source, target, acme.id)
    call(target, "admin.take_over", acme.id, owned(source, acme.id))
    call(source, "admin.give_up", acme.id, "second")
    # The rows that are left over: nobody finds the other lead there.
    assert call(source, "admin.leads_to_erase", None, other) == []
    assert [row["lead_id"] for row in call(target, "admin.leads_to_erase", None, other)] == [uuid.UUID(other)]
    assert target.sql("select 1 as n from app.lead where id = %s", lead) == []
    values = target.sql("select payload::text from audit.event where organization_id = %s", acme.id)
    assert "ann@example.com" not in str(values)
    seal(target)
    assert verdict(target, acme.id)["holds"]


def test_only_rows_of_an_arriving_or_a_moved_organization_can_be_deleted(source: Database, target: Database) -> None:
    """A move can be aborted until the rows are handed over, and afterwards only if the target has discarded them."""
    acme, other = make_organization(source), make_organization(target)
    create(source, acme.keys["write"], "ann@example.com")
    create(target, other.keys["write"], "bea@example.com")
    seal(source)
    for database, function, organization in (
        (source, "admin.discard_arrival", acme.id),
        (target, "admin.discard_arrival", other.id),
        (source, "admin.delete_moved", acme.id),
    ):
        with pytest.raises(psycopg.Error, match=r"^wrong_state\b"):
            call(database, function, organization, login="leads_migrator")
    for statement in ("delete from audit.event", "delete from audit.seal", "truncate app.placement"):
        with pytest.raises(psycopg.Error, match=r"^refused\b"):
            source.sql(statement)
    # The role whose functions erase: each row is checked.
    with source.connect() as connection:
        connection.execute("set role leads_eraser")
        for table in ("audit.event", "audit.seal"):
            with pytest.raises(psycopg.Error, match=r"^refused\b"):
                connection.execute(f"delete from {table} where organization_id = %s", [acme.id])
    with pytest.raises(psycopg.Error, match=r"^organization_exists\b"):
        call(target, "admin.prepare_arrival", other.id, "first")
    # A cell that others control could fill the catalogue with partitions.
    for years in ([1999], [2026, 9999], [None]):
        with pytest.raises(psycopg.Error, match=r"^invalid_years\b"):
            call(target, "admin.prepare_arrival", str(uuid.uuid4()), "first", years)

    begin(source, target, acme.id)
    carry(source, target, acme.id)
    call(source, "admin.fence", acme.id)
    finish(source, acme.id)
    # If the newest event had not arrived yet:
    rows = owned(source, acme.id)
    late = json.loads(rows)
    late[0]["row"]["event_id"] = str(uuid.uuid4())
    with pytest.raises(psycopg.Error, match=r"^not_arrived\b"):
        call(target, "admin.take_over", acme.id, json.dumps(late))
    with pytest.raises(psycopg.Error, match=r"^handed_over\b"):
        call(source, "admin.abort_move", acme.id)
    before = target.sql("select count(*) from audit.event where organization_id = %s", other.id)
    deleted = 0
    while number := call(target, "admin.discard_arrival", acme.id, 2)[0]["discard_arrival"]:
        deleted += number
    assert deleted > 10
    assert target.sql("select count(*) from audit.event where organization_id = %s", other.id) == before
    with pytest.raises(psycopg.Error, match=r"^wrong_state\b"):
        call(target, "admin.take_over", acme.id, rows)
    for _ in range(2):
        call(source, "admin.abort_move", acme.id, True)
    assert create(source, acme.keys["write"], "bea@example.com")["status"] == 201

    move(source, target, acme.id)
    with pytest.raises(psycopg.Error, match=r"^wrong_state\b"):
        call(source, "admin.abort_move", acme.id, True)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        call(source, "admin.delete_moved", acme.id)
    with pytest.raises(psycopg.Error, match=r"^wrong_state\b"):
        call(source, "admin.prepare_arrival", acme.id, "second")
    while call(source, "admin.delete_moved", acme.id, login="leads_migrator")[0]["delete_moved"]:
        pass
    # And back.
    move(target, source, acme.id, "first")
    assert create(source, acme.keys["write"], "cea@example.com")["status"] == 201
    seal(source)
    assert verdict(source, acme.id)["holds"]


@pytest.mark.parametrize("login", ["leads_api", "leads_worker", "leads_operator", "leads_router", "analyst"])
def test_no_login_can_forge_a_placement_or_open_a_fence(source: Database, target: Database, login: str) -> None:
    """Neither with SQL, nor with a claim that it sets itself: the fence holds on the connection of the server, too."""
    acme = make_organization(source)
    analyst = f"analyst_{source.name}"
    if login == "analyst":
        source.sql("select admin.create_analyst(%s, %s, 'SCRAM-SHA-256$')", analyst, acme.id, login="leads_migrator")
    lead = json.loads(create(source, acme.keys["write"], "ann@example.com")["body"])["id"]
    begin(source, target, acme.id)
    call(source, "admin.fence", acme.id)
    claim = hashlib.sha256(acme.keys["admin"].encode()).hexdigest()
    with source.connect("postgres" if login == "analyst" else login) as connection:
        if login == "analyst":
            connection.execute(f"set session authorization {analyst}")
        for statement in (
            "insert into app.placement (organization_id, state, cell) values (gen_random_uuid(), 'moved', 'x')",
            "update app.placement set state = 'copying'",
            "delete from app.placement",
            "select from app.placement",
            "update auth.api_key set is_fenced = false",
            f"select audit.delete_rows('{acme.id}', 1)",
            f"select auth.fence_keys('{acme.id}')",
            f"select auth.take_keys('{acme.id}', 'auth.api_key', '[]')",
            f"select audit.publish_rows('{acme.id}', '{{app.lead}}')",
            f"set role leads_jobs; delete from app.placement where organization_id = '{acme.id}'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        if login == "leads_api":
            connection.execute(
                "select set_config('leads.key_digest', %s, false), set_config('leads.organization_id', %s, false)",
                [claim, acme.id],
            )
            for statement in (
                """select api.create_lead('{"email": "eve@example.com", "name": "Eve"}')""",
                f"""select api.update_lead('{lead}', '{{"name": "Eve"}}')""",
                f"select api.delete_lead('{lead}')",
                """select api.create_key('{"scope": "admin"}')""",
            ):
                with pytest.raises(psycopg.Error) as caught:
                    connection.execute(statement)
                assert caught.value.diag.message_primary == "moving", statement
    call(source, "admin.abort_move", acme.id)
    call(target, "admin.discard_arrival", acme.id)


def work(database: Database) -> None:
    """Everything that a worker does for all organizations, and what an hour does."""
    queue(database)
    for function in ("admin.index_leads", "admin.count_stages"):
        after = None
        while rows := call(database, function, after, login="leads_worker"):
            after = rows[0]["organization_id"]
    call(database, "admin.queue_seals", login="leads_worker")
    for function in (
        "admin.delete_expired_answers",
        "admin.delete_old_submissions",
        "webhook.delete_old_deliveries",
    ):
        call(database, function, 1000, login="leads_worker")


def test_requests_and_forms_get_503_with_retry_after(
    source: Database, target: Database, new_server: Callable[..., Server]
) -> None:
    """The problem is that of every route that needs a key."""
    acme = make_organization(source)
    server = new_server(source)
    with server.client(acme.keys["admin"]) as client:
        form = client.post("/forms", json={"source": "web"}).json()["address"]
        begin(source, target, acme.id)
        call(source, "admin.fence", acme.id)
        for response in (
            client.get("/leads"),
            client.post("/leads", json={"email": "ann@example.com", "name": "Ann"}),
            client.get("/keys"),
            httpx.post(server.base + form, json={"email": "bea@example.com"}),
        ):
            check_problem(response, 503, "moving")
            assert response.headers["retry-after"] == "1"
        call(source, "admin.abort_move", acme.id)
        assert client.get("/leads").status_code == 200
    call(target, "admin.discard_arrival", acme.id)
