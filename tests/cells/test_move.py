"""An organization moves to another cell: two PostgreSQL servers, real logical replication, API servers,
and a router. ``make scale`` runs the long variants.
"""

import asyncio
import json
import os
import shutil
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.cells import claims, files, moves, sync
from app.cells.files import Cell
from app.cells.router import RuntimeMap
from app.cells.sync import Sync
from app.cli.keys import digest
from tests.support import hooks, pushing, router, simulator
from tests.support.cells import Cells, make_cells
from tests.support.chain import verdict
from tests.support.database import Database, make_key, make_organization
from tests.support.moving import (
    NAMES,
    Pair,
    Writer,
    after_steps,
    check_moves_while_all_write,
    deleted,
    killed_after,
    moved,
    standby_of,
)
from tests.support.process import Server, leads_on, mistake, printed
from tests.support.pushing import wait_for
from tests.support.replicas import paused, run_there
from tests.support.router import needs_router
from tests.support.scale import IS_LONG, long

pytestmark = needs_router

STEPS = tuple(step.__name__ for step in (*moves.TAKING_OVER, *moves.FINISHING))
KILLS = STEPS if IS_LONG else ("take_over",)
FORGERIES = {
    "insert": "insert into app.lead (organization_id, id, email) values (VICTIM, gen_random_uuid(), 'm@example.com')",
    "update": "update app.lead set email = 'mallory@example.com' where organization_id = VICTIM",
    "take": "update app.lead set organization_id = ACME where organization_id = VICTIM",
    "give": "update app.lead set organization_id = VICTIM where organization_id = ACME",
    "delete": "delete from app.lead where organization_id = VICTIM",
    "truncate": "truncate app.unindexed_lead",
}
"""What a cell sends about an organization of the other one."""
ABORTS = STEPS[: STEPS.index("take_over")] if IS_LONG else ("receive",)


def test_no_move_begins_if_a_router_could_not_send_requests_to_the_target(pair: Pair, tmp_path: Path) -> None:
    acme = pair.make()
    command = ("organizations", "move", acme.id, "--to", "b")
    said = mistake(pair.cells.leads(*command, LEADS_ROUTER_SOCKET=str(tmp_path / "router.sock")))
    assert "can't be used: No such file or directory. The organization has not moved." in said
    # The cell b was added, and the configuration of the router was not renewed.
    old = make_cells(tmp_path, {"a": pair.cells.databases["a"]}, {"a": pair.cells.servers["a"]})
    with router.running(old.router_config(), tmp_path):
        said = mistake(pair.cells.leads(*command, LEADS_ROUTER_SOCKET=old.environ["LEADS_ROUTER_SOCKET"]))
    assert "has no API server of the cell b. The organization has not moved." in said
    assert pair.places(acme.id) == ("here", "absent")


def test_no_request_is_refused_for_a_move_to_a_cell_whose_api_servers_are_down(pair: Pair) -> None:
    acme, b = pair.make(), pair.cells.servers["b"][0]
    command = ("organizations", "move", acme.id, "--to", "b")
    at = RuntimeMap(pair.cells.environ["LEADS_ROUTER_SOCKET"])

    @contextmanager
    def down() -> Iterator[None]:
        os.kill(b.process.pid, signal.SIGSTOP)
        try:
            wait_for(lambda: not any(at.servers("b").values()))
            yield
        finally:
            os.kill(b.process.pid, signal.SIGCONT)
            wait_for(lambda: all(at.servers("b").values()))

    def check_refused(places: tuple[str, str]) -> None:
        said = mistake(pair.cells.leads(*command))
        assert f"uses no API server of the cell b: GET /readyz fails at {b.base[7:]}. The organization has not" in said
        assert pair.places(acme.id) == places

    with down():
        check_refused(("here", "absent"))
    killed_after(pair.cells, "fence", *command[1:])
    assert pair.places(acme.id) == ("moving", "arriving")
    with down():
        check_refused(("copying", "arriving"))
    with ExitStack() as ended:

        def end(step: str) -> None:
            if step == "catch_up":
                ended.enter_context(down())

        with after_steps(end):
            check_refused(("copying", "arriving"))
    assert "The command took" in moved(pair.cells, acme.id, "b")
    assert moved(pair.cells, acme.id, "b").startswith("The move had ended already: the organization")
    assert pair.leftovers() == []


@long
@pytest.mark.parametrize("is_started", [True, False])
def test_a_router_that_dies_during_the_fence_refuses_only_its_own_clients(
    pair: Pair, tmp_path: Path, is_started: bool
) -> None:
    acme = pair.make()
    own = str(tmp_path / "router.sock")
    both = f"{pair.cells.environ['LEADS_ROUTER_SOCKET']} {own}"
    config = pair.cells.router_config(LEADS_ROUTER_SOCKET=own)
    command = ("organizations", "move", acme.id)
    first = pair.cells.client(acme.keys["read"])
    with router.running(config, tmp_path) as second:

        def kill(step: str) -> None:
            if step == "fence":
                second.process.kill()
                second.process.wait()

        with after_steps(kill):
            text = mistake(pair.cells.leads(*command, "--to", "b", LEADS_ROUTER_SOCKET=both))
    assert "can't be used: Connection refused. The cell b has taken over." in text
    assert (pair.places(acme.id), first.get("/leads").status_code) == (("moving", "here"), 200)
    assert "can only be finished" in mistake(pair.cells.leads(*command, "--abort", LEADS_ROUTER_SOCKET=both))
    if is_started:
        with router.running(config, tmp_path) as second, second.client(acme.keys["read"]) as client:
            # Its file has the new place already.
            assert client.get("/leads").status_code == 200
            assert pair.cells.leads(*command, "--resume", LEADS_ROUTER_SOCKET=both).returncode == 0
    else:
        assert pair.cells.leads(*command, "--resume").returncode == 0
    assert pair.places(acme.id) == ("moved", "here")
    assert pair.leftovers() == []


@long
def test_an_organization_moves_there_and_back(pair: Pair) -> None:
    acme, stranger = pair.make(), pair.make()
    assert pair.statuses(acme) == (200, 401)
    with pair.client("a", acme.keys["write"]) as client:
        id = client.post("/leads", json={"email": "a@example.com"}).json()["id"]
        lead = client.get(f"/leads/{id}").json()

    # An event of a year for which the target has no partition.
    old = f"0171{acme.id[4:]}"
    pair.cells.databases["a"].sql("select audit.create_partitions(2020)")
    pair.cells.databases["a"].sql(
        "insert into audit.event (id, organization_id, action, source, payload, salt, payload_digest, created_at) "
        "select %s, %s, 'stage.added', 'api', '{}', 'salt', sha256('salt{}'), app.id_time(%s)",
        *(old, acme.id, old),
    )
    pair.cells.databases["a"].sql("insert into audit.unsealed values (%s, %s)", acme.id, old)

    said = moved(pair.cells, acme.id, "b")
    assert "is in the cell b" in said
    assert "Requests were refused for" in said
    assert pair.places(acme.id) == ("moved", "here")
    assert pair.statuses(acme) == (401, 200)
    assert pair.statuses(stranger) == (200, 401)
    with pair.client("b", acme.keys["write"]) as client:
        assert client.get(f"/leads/{id}").json() == lead
        assert client.post("/leads", json={"email": "b@example.com"}).status_code == 201
    assert pair.work(acme.id) == ["b"]
    assert verdict(pair.cells.databases["b"], acme.id)["holds"]
    assert pair.leftovers() == []
    # A repetition changes nothing.
    moved(pair.cells, acme.id, "b")
    assert "delete-moved" in mistake(pair.cells.leads("organizations", "move", acme.id, "--to", "a"))
    deleted(pair.cells, pair.hosts, acme.id, "a")
    moved(pair.cells, acme.id, "a")
    assert pair.places(acme.id) == ("here", "moved")
    assert pair.statuses(acme) == (200, 401)
    with pair.client("a", acme.keys["read"]) as client:
        assert {"a@example.com", "b@example.com"} < {each["email"] for each in client.get("/leads").json()["data"]}
    assert pair.work(acme.id) in ([], ["a"])
    assert verdict(pair.cells.databases["a"], acme.id)["holds"]


@long
def test_no_replica_answers_after_the_fence(pair: Pair, tmp_path: Path, new_server: Callable[..., Server]) -> None:
    """The move waits until the replica sends the requests to the primary, so that the fence need not be replayed."""
    acme, host, log = pair.make(), pair.hosts["a"], tmp_path / "log"
    with standby_of(host) as standby, ExitStack() as ended:
        server = new_server(
            host.database, DATABASE_REPLICA_URL=standby.server.url("leads_api"), LEADS_REPLICA_LAG="3600"
        )
        # While it runs, all moves wait for its replica.
        ended.callback(server.process.wait, 30)
        ended.callback(server.process.terminate)
        with server.client(acme.keys["read"]) as client:

            def answers() -> tuple[int, bool]:
                """The status, and whether the replica has answered."""
                id = uuid.uuid4().hex
                status = client.get("/leads", headers={"X-Request-Id": id}).status_code
                lines = [line for line in server.lines() if line.get("request_id") == id]
                return status, any("replica" in line for line in lines)

            wait_for(lambda: answers() == (200, True))
            with paused(standby):
                process = pair.cells.start("organizations", "move", acme.id, "--to", "b", log=log)
                wait_for(lambda: "the replica walreceiver" in log.read_text() or process.poll() is not None)
                assert answers() == (200, True)
                assert process.poll() is None, log.read_text()
                process.kill()
                process.wait()
            keys = [acme.keys["read"]]

            def pause(step: str) -> None:
                """Pauses the replay before the fence, after a key was made."""
                if step == "drain":
                    keys.append(make_key(host.database, acme.id, "read"))
                    query = f"select id from auth.api_key where organization_id = '{acme.id}' and is_draining"
                    wait_for(lambda: len(run_there(standby, query)) == len(acme.keys) + 1)
                    assert answers() == (200, False)
                    opened.enter_context(paused(standby))

            with ExitStack() as opened, after_steps(pause):
                moved(pair.cells, acme.id, "b")
                for key in keys:
                    client.headers["Authorization"] = f"Bearer {key}"
                    assert answers() == (401, False)
    assert pair.leftovers() == []


def running(cells: Cells, cell: str) -> int:
    """The requests that the router has sent to the first API server of the cell, and that have no response yet."""
    return int(cells.router_row(cell)["scur"])


def test_a_request_that_is_under_way_during_the_move_can_be_sent_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router has sent it to the source, which reads it after the target has taken over."""
    monkeypatch.setattr(moves, "LATE_REQUESTS", 5)
    acme = pair.make()
    client = pair.cells.client(acme.keys["write"])
    assert client.get("/leads").status_code == 200
    wait_for(lambda: not running(pair.cells, "a"))
    has_moved = threading.Event()

    def body() -> Iterator[bytes]:
        yield b'{"email":'
        assert has_moved.wait(120)
        yield b'"late@example.com"}'

    with ThreadPoolExecutor(1) as threads:
        sent: list[Future[httpx.Response]] = []

        def hold(step: str) -> None:
            """Sends the head while the router has the old place, and the rest when it has the new one."""
            if step == "fence":
                json_type = {"Content-Type": "application/json"}
                sent.append(threads.submit(client.post, "/leads", content=body(), headers=json_type))
                wait_for(lambda: running(pair.cells, "a"))
            if step == "publish":
                has_moved.set()

        try:
            with after_steps(hold):
                moved(pair.cells, acme.id, "b")
        finally:
            has_moved.set()
        answer = sent[0].result()
    assert answer.status_code == 503, answer.text
    assert (answer.json()["code"], "retry-after" in answer.headers) == ("moving", True)
    assert client.post("/leads", json={"email": "late@example.com"}).status_code == 201


def test_a_round_on_another_machine_that_has_begun_before_a_move_has_ended_keeps_its_lines(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The move has changed the lines of the router, and not the file there. The cells were read before it."""
    acme = pair.make()
    runtime = RuntimeMap(pair.cells.environ["LEADS_ROUTER_SOCKET"])
    for name in (files.LIST, files.MAP):
        shutil.copy(pair.cells.folder / name, tmp_path)
    digests = {digest(key).hex() for key in acme.keys.values()}

    def derive(*arguments: Any) -> claims.Map:
        monkeypatch.setattr(sync, "derive", claims.derive)
        with ThreadPoolExecutor(1) as threads:  # the command has an event loop of its own
            threads.submit(moved, pair.cells, acme.id, "b").result()
        return claims.derive(*arguments)

    async def cells_of_keys() -> list[str | None]:
        rounds = Sync(tmp_path, [runtime.address])
        assert await rounds.full_round() == []
        monkeypatch.setattr(sync, "derive", derive)
        assert await rounds.full_round() == []
        await rounds.close()
        return [cell for key, cell in runtime.lines().items() if key in digests]

    with pair.sync_paused():
        assert asyncio.run(cells_of_keys()) == ["b"] * len(digests)
    assert pair.cells.client(acme.keys["read"]).get("/leads").status_code == 200


@pytest.mark.parametrize("step", KILLS)
def test_a_killed_move_goes_on(pair: Pair, step: str) -> None:
    acme = pair.make()
    killed_after(pair.cells, step, "move", acme.id, "--to", "b")
    with pair.client("a", acme.keys["write"]) as client:
        client.post("/leads", json={"email": "later@example.com"})
    statuses, is_over = pair.statuses(acme), STEPS.index(step) >= STEPS.index("take_over")
    assert statuses.count(200) == 1 or (not is_over and statuses == (503, 401)), statuses
    assert pair.work(acme.id) == ([] if 503 in statuses and not is_over else ["b"] if is_over else ["a"])
    if is_over:
        refused = mistake(pair.cells.leads("organizations", "move", acme.id, "--abort"))
        assert "move to abort" in refused or "taken over already" in refused

    moved(pair.cells, acme.id, "b")
    assert pair.places(acme.id) == ("moved", "here")
    assert pair.statuses(acme) == (401, 200)
    assert pair.leftovers() == []
    pair.work(acme.id)
    chain = verdict(pair.cells.databases["b"], acme.id)
    assert (chain["holds"], chain["unsealed"]) == (True, 0)
    assert pair.cells.client(acme.keys["read"]).get("/leads").status_code == 200


@pytest.mark.parametrize("step", ABORTS)
def test_a_killed_move_can_be_aborted(pair: Pair, step: str) -> None:
    acme = pair.make()
    killed_after(pair.cells, step, "move", acme.id, "--to", "b")
    source = pair.cells.databases["a"]
    source.sql("update app.placement set since = since - interval '2 minutes' where organization_id = %s", acme.id)
    is_fenced = pair.places(acme.id)[0] == "moving"
    assert ("The cell refuses its requests." in pair.cells.leads("cells", "check").stdout) == is_fenced
    printed_text = pair.cells.leads("organizations", "move", acme.id, "--abort")
    assert "as before" in printed_text.stdout, printed_text.stderr
    assert pair.places(acme.id) == ("here", "absent")
    assert pair.statuses(acme) == (200, 401)
    assert pair.leftovers() == []
    assert pair.cells.databases["b"].sql("select id from audit.event where organization_id = %s", acme.id) == []
    if IS_LONG:
        moved(pair.cells, acme.id, "b")
        pair.work(acme.id)
        assert verdict(pair.cells.databases["b"], acme.id)["holds"]


def test_a_lead_that_is_erased_during_the_move_stays_erased(pair: Pair) -> None:
    acme = pair.make()
    source, target = (pair.cells.databases[name] for name in NAMES)
    with pair.client("a", acme.keys["write"]) as client:
        id = client.post("/leads", json={"email": "secret@example.com", "name": "Secret"}).json()["id"]
    killed_after(pair.cells, "copy", "move", acme.id, "--to", "b")
    check_password(pair, acme.id)
    assert target.sql("select id from app.lead where id = %s", id)
    source.sql("select admin.erase_lead(%s, %s)", acme.id, id, login="leads_operator")

    for database in (source, target):
        database.sql("update app.placement set since = since - interval '2 hours' where organization_id = %s", acme.id)
    found = pair.cells.leads("cells", "check").stdout
    assert f"{acme.id} has been copying in the cell a" in found
    assert f"{acme.id} has been arriving in the cell b" in found

    moved(pair.cells, acme.id, "b")
    pair.work(acme.id)
    assert target.sql("select id from app.lead where id = %s", id) == []
    query = (
        "select action, payload::text, salt from audit.event where organization_id = %s and lead_id = %s order by id"
    )
    events = target.sql(query, acme.id, id)
    assert [row["action"] for row in events] == ["lead.created", "lead.erased"]
    assert "secret" not in str(events).lower()
    assert events == source.sql(query, acme.id, id)
    assert verdict(target, acme.id)["holds"]


def check_password(pair: Pair, organization: str) -> None:
    """The password of a move is in a file only, which PostgreSQL's account alone can read, and it expires."""
    connection = pair.cells.databases["b"].sql("select subconninfo from pg_subscription")[0]["subconninfo"]
    assert "password=" not in connection
    assert "passfile=" in connection
    (file,) = pair.hosts["b"].data.glob("pgsql_tmp_leads*")
    assert file.stat().st_mode & 0o777 == 0o600
    login = f"leads_move_{uuid.UUID(organization).hex}"
    query = "select rolvaliduntil - now() < '1 day' as is_soon from pg_roles where rolname = %s"
    assert pair.cells.databases["a"].sql(query, login) == [{"is_soon": True}]


def test_every_acknowledged_write_exists_once_after_moves_there_and_back(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine, requests are late.
    monkeypatch.setattr(moves, "LATE_REQUESTS", 2)
    organizations = [pair.make() for _ in range(20 if IS_LONG else 4)]
    check_moves_while_all_write(pair.cells, pair.hosts, organizations, pair.cells.client, 3 if IS_LONG else 1)


@contextmanager
def both_working(pair: Pair, folder: Path) -> Iterator[tuple[simulator.Simulator, hooks.Hooks]]:
    """Runs the workers of both cells, a vendor, and a receiver of webhooks, until the block ends."""
    with ExitStack() as stack:
        vendor = stack.enter_context(simulator.running())
        receiver = stack.enter_context(hooks.receiving())
        for name in NAMES:
            logs = folder / name
            logs.mkdir()
            worker = stack.enter_context(pushing.working(pair.cells.databases[name], logs))
        # Both workers have announced their key.
        wait_for(lambda: "The worker is running" in worker.log.read_text())
        yield vendor, receiver


@long
def test_no_push_and_no_delivery_is_lost_or_doubled(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "LATE_REQUESTS", 2)
    source = pair.cells.databases["a"]
    with both_working(pair, tmp_path) as (vendor, receiver):
        acme = pair.make(0, environment="live")
        pushing.connect(source, acme, vendor, settle_seconds=1)
        vendor.lag, vendor.latency = 0.5, 0.2
        receiver.add(source, acme, "/hook")
        receiver.latency["/hook"] = 0.2
        writer = Writer(pair.cells.client(acme.keys["write"]), {"name": "Ada Abbott", "pipeline_stage": "qualified"})
        with writer.running(0.1):
            wait_for(lambda: vendor.contacts and receiver.messages)
            moved(pair.cells, acme.id, "b")
            deleted(pair.cells, pair.hosts, acme.id, "a")
            count = len(vendor.contacts)
            # The other cell pushes.
            wait_for(lambda: len(vendor.contacts) > count + 3)
            moved(pair.cells, acme.id, "a")
        query = "select count(*) as count from crm.sync where organization_id = %s and run_at is null and status = 'ok'"
        wait_for(lambda: source.sql(query, acme.id)[0]["count"] == len(writer.leads), 240)
        made = {"lead.created", "lead.crm_pushed"}
        wait_for(lambda: len([m for m in receiver.of("/hook") if m.body["type"] in made]) >= 2 * len(writer.leads), 240)
        records = Counter(record["external_id"] for record in vendor.contacts)
        messages = Counter((m.lead_id, m.body["type"]) for m in receiver.of("/hook") if m.body["type"] in made)
    assert writer.faults == []
    assert records == dict.fromkeys(writer.leads, 1)
    assert messages == {(lead, type): 1 for lead in writer.leads for type in made}
    pair.work(acme.id)
    chain = verdict(source, acme.id)
    assert (chain["holds"], chain["unsealed"]) == (True, 0)
    print(f"{len(writer.leads)} leads, {writer.refused} requests refused")


@pytest.mark.parametrize("forgery", FORGERIES if IS_LONG else ("update",))
def test_a_cell_brings_no_rows_of_another_organization(pair: Pair, forgery: str) -> None:
    """The source decides what it publishes. Somebody who controls it publishes everything."""
    acme, victim = pair.make(), pair.cells.make_organization("b")
    source, target = (pair.cells.databases[name] for name in NAMES)
    query = "select id::text, email from app.lead where organization_id = %s order by id"
    target.sql("insert into app.lead (organization_id, email) values (%s, 'victim@example.com')", victim.id)
    leads = target.sql(query, victim.id)
    target.sql("insert into app.unindexed_lead (organization_id, lead_id) values (%s, %s)", victim.id, leads[0]["id"])
    name = f"leads_move_{uuid.UUID(acme.id).hex}"
    killed_after(pair.cells, "copy", "move", acme.id, "--to", "b")

    with source.connect() as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "insert into app.lead (organization_id, id, email) values (%s, %s, 'victim@example.com')",
            [victim.id, leads[0]["id"]],
        )
        connection.execute(f"alter publication {name} set table app.lead, app.lead_word, app.unindexed_lead".encode())
        connection.execute(f"alter publication {name} set (publish = 'insert, update, delete, truncate')".encode())
        connection.execute(
            FORGERIES[forgery].replace("VICTIM", f"'{victim.id}'").replace("ACME", f"'{acme.id}'").encode()
        )
    errors = "select apply_error_count as count from pg_stat_subscription_stats where subname = %s"
    wait_for(lambda: target.sql(errors, name)[0]["count"])
    assert target.sql(query, victim.id) == leads
    queue = "select lead_id from app.unindexed_lead where organization_id = %s"
    assert target.sql(queue, victim.id)
    try:
        if IS_LONG:
            # The control: without the trigger it arrives.
            for trigger in ("_050_check_arrival on app.lead", "_060_refuse_arrival on app.unindexed_lead"):
                target.sql(f"alter table {trigger.split()[2]} disable trigger {trigger.split()[0]}")
            wait_for(lambda: target.sql(query, victim.id) != leads or not target.sql(queue, victim.id))
    finally:
        target.sql("alter table app.lead enable replica trigger _050_check_arrival")
        target.sql("alter table app.unindexed_lead enable replica trigger _060_refuse_arrival")
        said = pair.cells.leads("organizations", "move", acme.id, "--abort")
        assert said.returncode == 0, said.stderr
        with source.connect() as connection:
            connection.execute("set session_replication_role = replica")
            connection.execute("delete from app.lead where organization_id = %s", [victim.id])


@long
def test_a_cell_brings_no_rows_of_other_tables(pair: Pair) -> None:
    """Keys, for example, which would let its own requests in."""
    acme = pair.make()
    name = f"leads_move_{uuid.UUID(acme.id).hex}"
    killed_after(pair.cells, "make_slot", "move", acme.id, "--to", "b")
    pair.cells.databases["a"].sql(f"alter publication {name} add table auth.api_key")
    pair.cells.databases["a"].sql(f"grant usage on schema auth to {name}; grant select on auth.api_key to {name}")
    said = mistake(pair.cells.leads("organizations", "move", acme.id, "--resume"))
    assert "The cell a does not publish the tables of a move, which differ in: auth.api_key." in said
    assert pair.cells.databases["b"].sql("select subname from pg_subscription") == []
    assert pair.cells.leads("organizations", "move", acme.id, "--abort").returncode == 0
    assert pair.leftovers() == []


@long
def test_a_large_transaction_causes_no_error(pair: Pair) -> None:
    """One that ends long after its first changes were decoded."""
    acme = pair.make()
    source, target = (pair.cells.databases[name] for name in NAMES)
    killed_after(pair.cells, "copy", "move", acme.id, "--to", "b")
    with source.configured(logical_decoding_work_mem="64kB"):
        with source.connect() as connection:
            connection.autocommit = False
            for _ in range(8):
                connection.execute(
                    "insert into app.lead (organization_id, email) select %s, 'big' || n || '@example.com' "
                    "from generate_series(1, 500) as n",
                    [acme.id],
                )
                time.sleep(0.3)
            connection.commit()
        moved(pair.cells, acme.id, "b")
    assert target.sql("select count(*) as count from app.lead where organization_id = %s", acme.id) == [{"count": 4003}]
    log = (pair.hosts["b"].data.parent / "log").read_text()
    assert "unexpected table_index_fetch_tuple" not in log


@long
def test_one_cell_pushes_and_delivers_after_each_kill(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers of both cells run all the time, also between the kill and the next command."""
    monkeypatch.setattr(moves, "LATE_REQUESTS", 2)
    with both_working(pair, tmp_path) as (vendor, receiver):
        vendor.lag, vendor.latency = 0.2, 0.1
        for step in STEPS:
            check_work_after_a_kill(pair, step, vendor, receiver)


def check_work_after_a_kill(pair: Pair, step: str, vendor: simulator.Simulator, receiver: hooks.Hooks) -> None:
    """Moves an organization whose leads are pushed and delivered, with a kill after the step."""
    acme, hook = pair.make(0, environment="live"), f"/{step}"
    source, target = (pair.cells.databases[name] for name in NAMES)
    pushing.connect(source, acme, vendor, settle_seconds=1)
    receiver.add(source, acme, hook)
    receiver.latency[hook] = 0.1
    writer = Writer(pair.cells.client(acme.keys["write"]), {"name": "Ada Abbott", "pipeline_stage": "qualified"})
    with writer.running(0.1):
        wait_for(lambda: receiver.of(hook))
        killed_after(pair.cells, step, "move", acme.id, "--to", "b")
        time.sleep(1)
        moved(pair.cells, acme.id, "b")
        time.sleep(0.5)
    assert writer.faults == [], step
    leads = set(writer.leads)
    expected = {(lead, type) for lead in leads for type in ("lead.created", "lead.crm_pushed")}

    def seen() -> Counter[tuple[str | None, str]]:
        return Counter((message.lead_id, message.body["type"]) for message in receiver.of(hook))

    wait_for(lambda: expected <= seen().keys(), 120)
    assert {each: seen()[each] for each in expected} == dict.fromkeys(expected, 1), step
    records = Counter(each["external_id"] for each in vendor.contacts if each["external_id"] in leads)
    assert records == dict.fromkeys(leads, 1), step
    query = "select count(*) as count from audit.unsealed where organization_id = %s"
    wait_for(lambda: target.sql(query, acme.id)[0]["count"] == 0)
    assert verdict(target, acme.id)["holds"], step
    print(f"{step}: {len(leads)} leads, {writer.refused} requests refused")


def test_only_an_organization_that_moves_gets_a_login(pair: Pair) -> None:
    acme, operator = pair.make(), pair.cells.databases["a"]
    verifier = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"
    with pytest.raises(psycopg.Error, match="no_such_move"):
        operator.sql("select cell.make_login(%s, %s)", acme.id, verifier, login="leads_operator")
    with pytest.raises(psycopg.Error, match="no_such_move"):
        operator.sql("select cell.make_slot(%s)", acme.id, login="leads_operator")
    with pytest.raises(psycopg.Error, match="no_such_move"):
        operator.sql("select cell.subscribe(%s, 'b')", acme.id, login="leads_operator")
    for login in ("leads_api", "leads_worker"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            operator.sql("select cell.lock_move(%s)", acme.id, login=login)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        operator.sql("insert into cell.peer values ('c', 'host=example.com')", login="leads_operator")


def test_a_cell_that_is_not_prepared_is_named(pair: Pair) -> None:
    acme, database = pair.make(), pair.cells.databases["b"]
    database.sql("alter schema cell rename to elsewhere")
    try:
        said = mistake(pair.cells.leads("organizations", "move", acme.id, "--to", "b"))
    finally:
        database.sql("alter schema elsewhere rename to cell")
    assert said.endswith("leads cells prepare b")
    assert pair.places(acme.id) == ("here", "absent")


def test_a_move_that_waits_too_long_lets_requests_in_again(pair: Pair) -> None:
    acme = pair.make()
    source = pair.cells.databases["a"]
    killed_after(pair.cells, "drain", "move", acme.id, "--to", "b")
    with source.connect() as connection:
        connection.autocommit = False
        connection.execute("update app.lead set name = 'Late' where organization_id = %s", [acme.id])
        said = mistake(pair.cells.leads("organizations", "move", acme.id, "--resume", "--give-up-after", "1"))
        assert "a transaction of postgres" in said
        assert pair.statuses(acme) == (200, 401)
        connection.commit()
    moved(pair.cells, acme.id, "b")
    rows = pair.cells.databases["b"].sql("select distinct name from app.lead where organization_id = %s", acme.id)
    assert rows == [{"name": "Late"}]


@long
def test_the_move_names_the_analysts_that_need_a_login(pair: Pair) -> None:
    acme = pair.make()
    source, target = (pair.cells.databases[name] for name in NAMES)
    for login, *options in (("ann", "--expires", "2099-01-01"), ("bob",), ("cea",), ("dan",)):
        created = leads_on(source)("bi", "create", login, "--organization", acme.id, *options)
        assert created.returncode == 0, created.stderr
    for login in ("bob", "cea", "dan"):
        target.sql(f"create role {login} login in role leads_bi")
    other = make_organization(target)
    target.sql("select admin.bind_moved_analyst('cea', %s)", other.id, login="leads_operator")
    said = mistake(pair.cells.leads("organizations", "move", acme.id, "--to", "b", "--analyst", "rob"))
    assert said == "The organization has no analyst rob in the cell a."
    # Of the login dan in the cell b nobody knows whose it is. The command that is killed has named them all.
    named = ("--analyst", "bob", "--analyst", "cea")
    said = killed_after(pair.cells, "bind_analysts", "move", acme.id, "--to", "b", *named)
    makes_ann = f"leads bi create ann --organization {acme.id} --expires 2099-01-01T00:00:00.000Z"
    assert makes_ann in said
    assert "cea can't read the organization in the cell b. There, the login reads another organization" in said
    assert "bi create dan" in said
    assert "bi create bob" not in said
    result = json.loads(moved(pair.cells, acme.id, "b", "--json"))
    assert (result["analysts_bound"], result["analysts_not_bound"]) == (["bob"], ["ann", "cea", "dan"])
    for login in ("cea", "dan"):
        assert target.sql("select email from bi.leads", login=login) == []
    assert source.sql("select email from bi.leads", login="ann") == []
    assert len(target.sql("select email from bi.leads", login="bob")) == 3
    made = leads_on(target)(*makes_ann.split()[1:])
    assert made.returncode == 0, made.stderr
    assert len(target.sql("select email from bi.leads", login="ann")) == 3


@long
def test_logins_learn_nothing_from_a_move(pair: Pair) -> None:
    """Neither at the source nor at the target: not from the rows that have arrived, the slot or the publication."""
    acme, stranger = pair.make(), pair.cells.make_organization("b")
    spies = {"spy_a": pair.make(1), "spy_b": stranger}
    for cell, (spy, organization) in zip(NAMES, spies.items(), strict=True):
        created = leads_on(pair.cells.databases[cell])("bi", "create", spy, "--organization", organization.id)
        assert created.returncode == 0, created.stderr
    name = f"leads_move_{uuid.UUID(acme.id).hex}"
    killed_after(pair.cells, "copy", "move", acme.id, "--to", "b")
    assert pair.statuses(acme) == (200, 401)
    attempts = (
        f"select pg_logical_slot_peek_changes('{name}', null, null)",
        f"select pg_logical_slot_get_binary_changes('{name}', null, null)",
        f"select pg_replication_slot_advance('{name}', pg_current_wal_lsn())",
        f"select pg_drop_replication_slot('{name}')",
        "select pg_create_logical_replication_slot('mine', 'test_decoding')",
        "create publication mine for all tables",
        f"alter publication {name} set (publish = '')",
        f"alter subscription {name} disable",
        f"create subscription mine connection 'dbname=leads' publication {name} with (create_slot = false)",
        "select subconninfo from pg_subscription",
        "select restart_lsn from pg_replication_slots",
        "select total_bytes from pg_stat_replication_slots",
        "select received_lsn from pg_stat_subscription",
        f"set role {name}",
        f"grant {name} to current_user",
        f"select pg_read_file('pgsql_tmp_{name}')",
        f"select cell.password_file('{acme.id}')",
        "table cell.peer",
        "table auth.position_key",
    )
    try:
        for cell, spy in zip(NAMES, spies, strict=True):
            database = pair.cells.databases[cell]
            for login in (spy, "leads_api", "leads_worker"):
                for attempt in attempts:
                    with pytest.raises(psycopg.Error) as caught:
                        # An analyst's session begins read-only.
                        database.sql(f"set transaction read write; {attempt}", login=login)
                    # The last two: there is no such object in this cell.
                    assert caught.value.sqlstate in ("42501", "42704", "22023"), (login, attempt, caught.value)
            rows = database.sql("select organization_id::text as id from bi.leads", login=spy)
            assert {row["id"] for row in rows} <= {spies[spy].id}
        with pytest.raises(psycopg.Error):
            pair.cells.databases["b"].sql("select admin.export_leads(%s)", acme.id, login="leads_operator")
    finally:
        assert pair.cells.leads("organizations", "move", acme.id, "--abort").returncode == 0


@long
def test_the_login_of_a_move_ends_with_it(pair: Pair) -> None:
    """PostgreSQL has no privilege to replicate some rows only (docs/cells.md), so the login must not stay."""
    acme, stranger = pair.make(), pair.make()
    killed_after(pair.cells, "copy", "move", acme.id, "--to", "b")
    (file,) = pair.hosts["b"].data.glob("pgsql_tmp_leads*")
    *_, user, password = file.read_text().strip().split(":")
    address = f"host=127.0.0.1 port={pair.hosts['a'].server.port} dbname=leads user={user} password={password}"
    with psycopg.connect(address, autocommit=True) as connection:
        # What the page says: it reads rows of others, and could copy the cluster. But it changes nothing.
        query = "select count(*) from app.lead where organization_id = %s"
        assert connection.execute(query, [stranger.id]).fetchone() == (3,)
        for statement in (
            "update app.lead set name = 'x'",
            "select * from auth.api_key",
            "select * from crm.connection",
            "select cell.drop_slot(gen_random_uuid())",
            "create role mallory",
            "create table public.mine ()",
            "select pg_read_file('postgresql.conf')",
            "set role leads_owner",
            "set session_replication_role = replica",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        walsender = psycopg.connect(f"{address} replication=database", autocommit=True)
        walsender.pgconn.send_query(b"BASE_BACKUP (CHECKPOINT 'fast', WAL false)")
        result = walsender.pgconn.get_result()
        walsender.close()
        assert result is not None
        assert result.status == psycopg.pq.ExecStatus.TUPLES_OK
        source, target = (pair.cells.databases[cell] for cell in NAMES)
        for verifier in ("secret", "SCRAM-SHA-256$1:a$b:c' superuser", "SCRAM-SHA-256$1:a$b:c\n", None):
            with pytest.raises(psycopg.Error) as caught:
                source.sql("select cell.make_login(%s, %s)", acme.id, verifier, login="leads_operator")
            assert caught.value.sqlstate == "PT422", verifier
        for text in ("secret", "0" * 64 + "\n*:*:*:postgres:x", "0" * 63 + "'", None):
            with pytest.raises(psycopg.Error) as caught:
                target.sql("select cell.write_password(%s, 'a', %s)", acme.id, text, login="leads_operator")
            assert caught.value.sqlstate == "PT422", text
        for other in ("b", "a' passfile='/etc/passwd", ""):
            with pytest.raises(psycopg.Error) as caught:
                target.sql("select cell.subscribe(%s, %s)", acme.id, other, login="leads_operator")
            assert caught.value.sqlstate == "PT409", other
        assert file.read_text().endswith(f":{password}\n")

        assert pair.cells.leads("organizations", "move", acme.id, "--abort").returncode == 0
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(address)
    assert pair.leftovers() == []


def test_the_script_says_what_a_superuser_must_change(database: Database, tmp_path: Path) -> None:
    other = Database(database.server, "other")
    files.write(
        tmp_path,
        [Cell("a", database.url("leads_operator"), ("a:80",)), Cell("b", other.url("leads_operator"), ("b:80",))],
    )
    cells = Cells(tmp_path, {}, {}, environ={"LEADS_CELLS_DIR": str(tmp_path)})
    script = printed(cells.leads("cells", "prepare", "a", "--peer", "b=host=db2 dbname='it\\'s'"))
    assert "insert into cell.peer (name, address) values ('b', " in script
    assert "password" in mistake(cells.leads("cells", "prepare", "a", "--peer", "b=host=db2 password=secret"))
    assert "There is no other cell 'c'" in mistake(cells.leads("cells", "prepare", "a", "--peer", "c=host=db3"))
    # Its owner could put functions of his own in the place of the superuser's.
    database.sql("create schema cell authorization leads_owner")
    said = mistake(cells.leads("cells", "prepare", "a", "--superuser-url", database.url()))
    assert said.startswith("The schema cell belongs to a role that is no superuser.")
    database.sql("drop schema cell")
    said = mistake(cells.leads("cells", "prepare", "a", "--superuser-url", database.url()))
    assert said.startswith("wal_level is replica. Run: alter system set wal_level = logical;")
    said = mistake(cells.leads("cells", "prepare", "a", "--superuser-url", database.url("leads_migrator")))
    assert said.startswith("leads_migrator is not a superuser.")
    assert database.sql("select to_regnamespace('cell') as schema") == [{"schema": None}]


@long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_while_it_waits_lets_the_next_one_begin(
    pair: Pair, tmp_path: Path, number: signal.Signals
) -> None:
    acme, source, log = pair.make(), pair.cells.databases["a"], tmp_path / "log"
    with source.connect() as connection:
        connection.autocommit = False
        connection.execute("update app.lead set name = 'Late' where organization_id = %s", [acme.id])
        # The slot waits for this transaction.
        process = pair.cells.start("organizations", "move", acme.id, "--to", "b", log=log)
        wait_for(lambda: "make the slot" in log.read_text())
        said = mistake(pair.cells.leads("organizations", "move", acme.id, "--to", "b"))
        assert "Another command is moving" in said
        process.send_signal(number)
        process.wait(30)
        assert ("The move has not ended." in log.read_text()) == (number == signal.SIGTERM)
        with source.connect("leads_operator") as operator:
            query = "select cell.lock_move(%s) as is_free"
            wait_for(lambda: operator.execute(query, [acme.id]).fetchall()[0]["is_free"])
        connection.commit()
    moved(pair.cells, acme.id, "b", "--resume")
