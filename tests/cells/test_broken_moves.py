"""A move whose replication is broken says what to do, and can be resumed or aborted. ``make scale`` runs most."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest.mock import patch

import httpx
import psycopg
import pytest

from app import sealing
from app.cells import moves
from app.cells.router import RuntimeMap
from app.worker import vault
from bench.hosts import Host
from tests.support.chain import verdict
from tests.support.database import WORKER_KEY
from tests.support.moving import NAMES, Pair, after_steps, killed_after, moved
from tests.support.process import mistake
from tests.support.pushing import wait_for
from tests.support.router import needs_router
from tests.support.scale import long
from tests.support.webhooks import make_webhook

pytestmark = needs_router


def begun(pair: Pair, step: str = "copy") -> tuple[str, str]:
    """A move that was killed after a step: the id of its organization, and the name of its objects."""
    acme = pair.make()
    killed_after(pair.cells, step, "move", acme.id, "--to", "b")
    return acme.id, f"leads_move_{acme.id.replace('-', '')}"


def said(pair: Pair, organization: str, *options: str) -> str:
    """What the command says that can't go on."""
    return mistake(pair.cells.leads("organizations", "move", organization, "--resume", *options))


def aborted(pair: Pair, organization: str) -> None:
    assert pair.cells.leads("organizations", "move", organization, "--abort").returncode == 0
    assert pair.places(organization) == ("here", "absent")
    assert pair.leftovers() == []


def arrived(pair: Pair, organization: str, name: str = "New") -> None:
    """The move can be finished, and nothing is missing."""
    moved(pair.cells, organization, "b")
    target = pair.cells.databases["b"]
    assert target.sql("select distinct name from app.lead where organization_id = %s", organization) == [{"name": name}]
    pair.work(organization)
    assert verdict(target, organization)["holds"]
    assert pair.leftovers() == []


def change(pair: Pair, organization: str) -> None:
    pair.cells.databases["a"].sql("update app.lead set name = 'New' where organization_id = %s", organization)


def stop(pair: Pair, name: str) -> None:
    """Ends the subscription's connection, and lets no other begin."""
    source, target = (pair.cells.databases[cell] for cell in NAMES)
    target.sql(f"alter subscription {name} disable")
    query = "select active_pid as pid from pg_replication_slots where slot_name = %s and active"

    def is_free() -> bool:
        for row in source.sql(query, name):
            source.sql("select pg_terminate_backend(%s)", row["pid"])
        return not source.sql(query, name)

    wait_for(is_free)


def test_a_slot_that_was_dropped_is_not_made_again(pair: Pair) -> None:
    """What was written without it would be missing, and nobody would notice."""
    organization, name = begun(pair)
    stop(pair, name)
    pair.cells.databases["a"].sql("select pg_drop_replication_slot(%s)", name)
    change(pair, organization)
    assert "is missing" in said(pair, organization)
    aborted(pair, organization)
    arrived(pair, organization)


def test_the_slot_is_made_while_others_change_the_catalogue(pair: Pair) -> None:
    """In a function, PostgreSQL 15 to 18 fail then, unless it runs in a subtransaction."""
    organization, name = begun(pair, "make_login")
    source = pair.cells.databases["a"]

    def make_slot(timeout: str) -> None:
        with source.connect("leads_operator") as connection:
            connection.execute(f"set statement_timeout = '{timeout}'")
            connection.execute("select cell.make_slot(%s)", [organization])

    def waits_for(writer: psycopg.Connection[dict[str, Any]]) -> bool:
        query = "select pid from pg_stat_activity where %s = any (pg_blocking_pids(pid))"
        return bool(source.sql(query, writer.info.backend_pid))

    with source.connect() as first, source.connect() as second:
        for writer in (first, second):
            writer.execute("begin")
        first.execute("select pg_current_xact_id()")
        # It waits for the transaction. A slot that was not completed is not left behind.
        with pytest.raises(psycopg.errors.QueryCanceled):
            make_slot("200ms")
        assert source.sql("select slot_name from pg_replication_slots") == []
        with ThreadPoolExecutor(1) as threads:
            made = threads.submit(make_slot, "60s")
            wait_for(lambda: waits_for(first))
            second.execute("select pg_current_xact_id()")
            first.execute("commit")
            wait_for(lambda: waits_for(second))
            # Of transactions that begin in this phase, it executes the changes of the catalogue.
            source.sql("create table public.other ()")
            source.sql("drop table public.other")
            second.execute("commit")
            made.result()
    assert source.sql("select slot_name, active from pg_replication_slots") == [{"slot_name": name, "active": False}]
    change(pair, organization)
    arrived(pair, organization)


@long
def test_a_slot_that_needs_too_much_of_the_log_is_named(pair: Pair) -> None:
    organization, name = begun(pair)
    source = pair.cells.databases["a"]
    stop(pair, name)
    change(pair, organization)
    with source.configured(max_slot_wal_keep_size="16MB", wal_keep_size="0"):
        for _ in range(4):
            source.sql("select pg_logical_emit_message(false, 'x', 'x')")
            source.sql("select pg_switch_wal()")
        source.sql("checkpoint")
        wait_for(lambda: source.sql("select wal_status = 'lost' as is_lost from pg_replication_slots")[0]["is_lost"])
        assert "it needed more of the write-ahead log than max_slot_wal_keep_size allows" in said(pair, organization)
    aborted(pair, organization)
    arrived(pair, organization)


@long
@pytest.mark.parametrize("step", ["copy", "catch_up"])
def test_a_dropped_subscription_is_named_and_copied_again(pair: Pair, step: str) -> None:
    organization, name = begun(pair, step)
    target = pair.cells.databases["b"]
    runs: list[str] = []

    def drop(step: str) -> None:
        """In the middle of the next command."""
        if step == "subscribe" and not runs:
            runs.append(step)
            target.sql(f"alter subscription {name} disable")
            target.sql(f"alter subscription {name} set (slot_name = none)")
            target.sql(f"drop subscription {name}")

    with after_steps(drop):
        assert f"no subscription {name}: somebody has dropped it" in said(pair, organization)
        change(pair, organization)
        arrived(pair, organization)


@long
def test_a_disabled_subscription_is_named_and_enabled_again(pair: Pair) -> None:
    organization, name = begun(pair, "begin")
    target = pair.cells.databases["b"]

    def disable(step: str) -> None:
        if step == "subscribe":
            target.sql(f"alter subscription {name} disable")

    with after_steps(disable):
        assert "is disabled" in said(pair, organization)
    change(pair, organization)
    arrived(pair, organization)


@long
@pytest.mark.parametrize("is_removed", [True, False])
def test_a_row_in_the_way_is_named_and_the_move_goes_on_without_it(pair: Pair, is_removed: bool) -> None:
    organization, _ = begun(pair, "begin")
    change(pair, organization)
    source, target = (pair.cells.databases[name] for name in NAMES)
    lead = source.sql("select id from app.lead where organization_id = %s limit 1", organization)[0]["id"]

    def change_target(statement: str) -> None:
        with target.connect() as connection:
            connection.execute("set session_replication_role = replica")
            connection.execute(statement, {"organization": organization, "lead": lead})

    def insert(step: str) -> None:
        if step == "make_slot":
            change_target(
                "insert into app.lead (organization_id, id, email) values (%(organization)s, %(lead)s, 'x@example.com')"
            )

    with patch.object(moves, "ERRORS", 1):
        with after_steps(insert):
            text = said(pair, organization)
            assert "has failed" in text
            assert "a row that exists already" in text
        if is_removed:
            change_target("delete from app.lead where organization_id = %(organization)s and id = %(lead)s")
            # The errors of before don't count.
            arrived(pair, organization)
        else:
            aborted(pair, organization)


@pytest.mark.parametrize("is_aborted", [True, False])
def test_a_source_that_refuses_the_login_is_named(pair: Pair, is_aborted: bool) -> None:
    organization, _ = begun(pair, "begin")
    change(pair, organization)
    with changed_hba(pair.hosts["a"], "host all +leads_move 127.0.0.1/32 reject"):
        text = said(pair, organization)
        assert "PostgreSQL of the cell b can't connect to that of a: connection to server" in text
        assert "pg_hba.conf of a must accept the group +leads_move" in text
        if is_aborted:
            aborted(pair, organization)
    if not is_aborted:
        arrived(pair, organization)


@long
def test_a_source_that_refuses_the_login_during_the_copy_is_named(pair: Pair) -> None:
    organization, _ = begun(pair, "begin")
    change(pair, organization)
    source = pair.cells.databases["a"]
    with ExitStack() as refused:

        def refuse(step: str) -> None:
            if step == "subscribe":
                refused.enter_context(changed_hba(pair.hosts["a"], "host all +leads_move 127.0.0.1/32 reject"))
                source.sql("select pg_terminate_backend(pid) from pg_stat_replication")

        with after_steps(refuse), patch.object(moves, "SILENCE", 2.0):
            assert "pg_hba.conf" in said(pair, organization)
    arrived(pair, organization)


def restart(pair: Pair, cell: str) -> None:
    """Starts PostgreSQL of a cell again, and waits until the router uses the API server."""
    with pair.sync_paused():
        pair.hosts[cell].end()
        pair.hosts[cell].start()
    base = pair.cells.servers[cell][0].base
    wait_for(lambda: httpx.get(base + "/readyz", verify=False, timeout=30).status_code == 200)
    at = RuntimeMap(pair.cells.environ["LEADS_ROUTER_SOCKET"])
    wait_for(lambda: all(at.servers(cell).values()))


@contextmanager
def changed_hba(host: Host, line: str) -> Iterator[None]:
    """A server whose pg_hba.conf has this line first."""
    path = host.data.parent / "hba"
    text = path.read_text()
    try:
        path.write_text(f"{line}\n{text}")
        host.database.sql("select pg_reload_conf()")
        yield
    finally:
        path.write_text(text)
        host.database.sql("select pg_reload_conf()")


@pytest.mark.parametrize("is_aborted", [True, False])
def test_a_password_file_that_cannot_be_written_is_named(pair: Pair, is_aborted: bool) -> None:
    organization, name = begun(pair, "begin")
    change(pair, organization)
    path = pair.hosts["b"].data / f"pgsql_tmp_{name}"
    path.mkdir()
    assert "PostgreSQL of the cell b can't write the file with the password" in said(pair, organization)
    if is_aborted:
        text = mistake(pair.cells.leads("organizations", "move", organization, "--abort"))
        assert "PostgreSQL of the cell b can't remove the file with the password" in text
    path.rmdir()
    if is_aborted:
        aborted(pair, organization)
    else:
        arrived(pair, organization)


@long
@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can mount a small file system.")
@pytest.mark.parametrize("is_aborted", [True, False])
def test_a_full_disk_of_the_target_is_named(pair: Pair, is_aborted: bool) -> None:
    organization, _ = begun(pair, "begin")
    source, target = (pair.cells.databases[name] for name in NAMES)
    source.sql(
        "insert into app.lead (organization_id, email) "
        "select %s, n || repeat('x', 40) || '@example.com' from generate_series(1, 8000) as n",
        organization,
    )
    change(pair, organization)
    folder = pair.hosts["b"].data.parent / f"small_{is_aborted}"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    try:
        pair.hosts["b"].own(folder)
        target.sql(f"create tablespace small location '{folder}'")
        target.sql("alter table app.lead set tablespace small")
        text = said(pair, organization)
        assert "has failed" in text
        assert "a full disk" in text
        if is_aborted:
            aborted(pair, organization)
        else:
            subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
            arrived(pair, organization)
    finally:
        target.sql("alter table app.lead set tablespace pg_default")
        target.sql("drop tablespace if exists small")
        subprocess.run(["umount", str(folder)], check=True)


@long
@pytest.mark.parametrize("cell", NAMES)
def test_a_cell_without_free_connections_is_named(pair: Pair, cell: str) -> None:
    acme = pair.make()
    with ExitStack() as opened:
        with suppress(psycopg.OperationalError):  # none is left
            while True:
                opened.enter_context(psycopg.connect(pair.cells.databases[cell].url("leads_worker")))
        text = mistake(pair.cells.leads("organizations", "move", acme.id, "--to", "b"))
    assert "FATAL" in text
    assert text.endswith(f"Run the command again when {cell} can be reached.")
    moved(pair.cells, acme.id, "b")


@long
def test_a_wrong_password_is_named_and_replaced(pair: Pair) -> None:
    organization, name = begun(pair)
    source = pair.cells.databases["a"]
    change(pair, organization)

    def spoil(step: str) -> None:
        """As if the validity of the password had ended, or a DBA had changed it."""
        if step == "subscribe":
            source.sql(f"alter role {name} password 'other' valid until '2020-01-01'")
            wait_for(lambda: source.sql("select pid from pg_stat_replication"))
            source.sql("select pg_terminate_backend(pid) from pg_stat_replication")

    with after_steps(spoil), patch.object(moves, "SILENCE", 2.0):
        assert "a wrong password, which --resume replaces" in said(pair, organization)
    arrived(pair, organization)


@long
def test_the_password_is_renewed_while_the_move_takes_long(pair: Pair) -> None:
    organization, name = begun(pair, "make_slot")
    source, target = (pair.cells.databases[cell] for cell in NAMES)
    change(pair, organization)

    def shorten(step: str) -> None:
        if step == "subscribe":
            query = "select bool_and(srsubstate = 'r') as is_copied from pg_subscription_rel"
            wait_for(lambda: target.sql(query)[0]["is_copied"])
            hour = source.sql("select (now() + interval '1 hour')::text as hour")[0]["hour"]
            source.sql(f"alter role {name} valid until '{hour}'")
        elif step == "catch_up":
            query = "select rolvaliduntil > now() + interval '23 hours' as is_new from pg_roles where rolname = %s"
            assert source.sql(query, name) == [{"is_new": True}]

    with after_steps(shorten), patch.object(moves, "RENEWAL", 0.0):
        arrived(pair, organization)


@long
def test_a_cell_without_free_processes_is_named(pair: Pair) -> None:
    organization, _ = begun(pair, "make_slot")
    change(pair, organization)
    host = pair.hosts["b"]
    host.database.sql("alter system set max_logical_replication_workers = 0")
    restart(pair, "b")
    try:
        with patch.object(moves, "SILENCE", 3.0):
            assert "max_logical_replication_workers" in said(pair, organization)
    finally:
        host.database.sql("alter system reset max_logical_replication_workers")
        restart(pair, "b")
    arrived(pair, organization)


@long
def test_a_source_without_free_senders_is_named(pair: Pair) -> None:
    organization, _ = begun(pair, "make_slot")
    change(pair, organization)
    source = pair.cells.databases["a"]
    with ExitStack() as opened:
        with suppress(psycopg.OperationalError):  # none is left
            while True:
                opened.enter_context(psycopg.connect(source.url() + "&replication=database"))
        assert "max_wal_senders" in said(pair, organization)
    arrived(pair, organization)


def test_a_cell_without_the_key_of_the_credentials_is_refused(pair: Pair) -> None:
    acme = pair.make()
    source, target = (pair.cells.databases[name] for name in NAMES)
    keys = [vault.key_id(key) for key in (WORKER_KEY, bytes(32))]
    announce = "select webhook.announce_keys(%s, %s)"
    publics = [sealing.public_bytes(sealing.private_key_of(key)) for key in (WORKER_KEY, bytes(32))]

    def refused(key: str) -> bool:
        text = mistake(pair.cells.leads("organizations", "move", acme.id, "--to", "b"))
        return f"The workers of b don't have the key {key} of a" in text

    try:
        target.sql(announce, keys[1:], publics[1:], login="leads_worker")
        assert refused(keys[0])
        # The same current key, and a secret that still has the one before.
        make_webhook(source, acme, secret_key=keys[0])
        source.sql(announce, keys[::-1], publics[::-1], login="leads_worker")
        assert refused(keys[0])
        assert pair.places(acme.id) == ("here", "absent")
        # The other order of the keys does no harm.
        target.sql(announce, keys, publics, login="leads_worker")
        moved(pair.cells, acme.id, "b")
    finally:
        for database in (source, target):
            database.sql(announce, keys[:1], publics[:1], login="leads_worker")


def test_different_releases_are_refused(pair: Pair) -> None:
    acme = pair.make()
    target = pair.cells.databases["b"]
    definition = target.sql("select pg_get_functiondef('api.release_version'::regproc) as text")[0]["text"]
    target.sql("create or replace function api.release_version() returns text language sql stable return '1.0.0'")
    try:
        text = mistake(pair.cells.leads("organizations", "move", acme.id, "--to", "b"))
    finally:
        target.sql(definition)
    assert text.startswith("The cells have different releases: a ")
    assert text.endswith("b 1.0.0. Upgrade the older one first, with leads migrate.")
    assert pair.places(acme.id) == ("here", "absent")
