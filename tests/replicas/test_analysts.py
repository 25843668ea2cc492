"""Analysts on a replica: the attacks of tests/attacks, and what a long query delays. make scale runs this."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest

from bench.hosts import Pair
from tests.attacks import world
from tests.attacks.harness import Session, attempt
from tests.attacks.test_attack import analysts_attacks, misspelt, told, unexpected
from tests.support.database import Database, Organization
from tests.support.process import leads_here
from tests.support.pushing import wait_for
from tests.support.replicas import made_analyst
from tests.support.scale import long

pytestmark = long

TAKE_IDS = """
do $$ begin
  create temporary table taken ();
  for i in 1..1100000 loop
    begin
      insert into taken default values;
    exception when division_by_zero then null;
    end;
  end loop;
end $$
"""
"""Makes all open transactions older than a million others."""


@pytest.fixture(autouse=True)
def settings(pair: Pair) -> Iterator[Callable[..., None]]:
    """A function that changes settings of the standby."""
    changed: list[str] = []

    def change(**values: str) -> None:
        for name, value in values.items():
            changed.append(name)
            pair.standby.database.sql(f"alter system set {name} = '{value}'")
        pair.standby.database.sql("select pg_reload_conf()")
        for name, value in values.items():
            wait_for(lambda name=name, value=value: shown(pair.standby.database, name) == value)  # type: ignore[misc]

    pair.primary.database.sql("alter table app.lead set (autovacuum_enabled = off)")
    yield change
    for name in changed:
        pair.standby.database.sql(f"alter system reset {name}")
    pair.standby.database.sql("select pg_reload_conf()")
    pair.wait_for_stream()


def shown(database: Database, name: str) -> str:
    return str(database.sql(f"show {name}")[0][name])


def make_leads(pair: Pair, organization: Organization) -> None:
    pair.primary.database.sql(
        "insert into app.lead (organization_id, email) "
        "select %s, gen_random_uuid() || '@example.com' from generate_series(1, 500)",
        organization.id,
    )
    pair.wait_for_stream()


def remove_versions(pair: Pair) -> int:
    """Makes dead rows, and vacuums. Returns the number of dead rows that VACUUM could not remove."""
    pair.primary.database.sql("update app.lead set company = gen_random_uuid()::text")
    pair.primary.database.sql("vacuum app.lead")
    # VACUUM does not wait until its log is written.
    pair.primary.database.sql("checkpoint")
    return int(pair.primary.database.sql("select pg_stat_get_dead_tuples('app.lead'::regclass) as dead")[0]["dead"])


def rows(connection: psycopg.Connection) -> int:
    """The number of leads that a session sees, 0 if it may not read."""
    try:
        return int(connection.execute("select count(*) from bi.leads").fetchall()[0][0])
    except psycopg.errors.InsufficientPrivilege:
        return 0


def test_an_analyst_learns_nothing_on_a_replica(pair: Pair) -> None:
    two = world.make(pair.primary.server)
    pair.wait_for_stream()

    def session(database: Database, victim: world.Victim) -> Session:
        def act() -> None:
            victim.act()
            pair.wait_for_stream()

        copy = Database(pair.standby.server, database.name)
        return Session(lambda: world.connect(copy, world.ANALYST), act)

    sessions = [session(database, victim) for database, victim in zip(two.databases, two.victims, strict=True)]
    outcomes = [attempt(attack, sessions, two.copies) for attack in analysts_attacks(two, "product")]
    for each in sessions:
        each.close()
    for victim in two.victims:
        victim.close()
    # The replay leaves other pages in memory than the queries of a primary do.
    outcomes = [one for one in outcomes if not one.attack.name.startswith("select relname, heap_blks_read > 0")]
    print(f"{sum(outcome.statements for outcome in outcomes)} statements in {len(outcomes)} attacks")
    assert told(outcomes) == []
    assert unexpected(outcomes) == []
    assert misspelt(outcomes) == []


def test_a_query_delays_vacuum_or_is_cancelled(pair: Pair, acme: Organization, settings: Callable[..., None]) -> None:
    make_leads(pair, acme)
    connect = made_analyst(pair, "ann", acme)

    def xmin() -> str | None:
        rows: list[dict[str, str | None]] = pair.primary.database.sql(
            "select backend_xmin::text as xmin from pg_stat_replication"
        )
        return rows[0]["xmin"]

    settings(hot_standby_feedback="on", max_standby_streaming_delay="1s", wal_receiver_status_interval="1s")
    with connect() as connection:
        connection.execute("begin isolation level repeatable read")
        count = rows(connection)
        oldest = connection.execute("select pg_snapshot_xmin(pg_current_snapshot())::text").fetchall()[0][0]
        wait_for(lambda: xmin() == oldest)
        assert remove_versions(pair) >= 500
        pair.wait_for_stream()
        assert rows(connection) == count
        pair.primary.database.sql(TAKE_IDS)
        answer = json.loads(leads_here(pair.primary.database)("doctor", "--json").stdout)
        assert [row["finding"] for row in answer["findings"] if "on a replica is open" in row["finding"]]
    settings(hot_standby_feedback="off")
    wait_for(lambda: xmin() is None)
    with closing(connect()) as connection:
        connection.execute("begin isolation level repeatable read")
        rows(connection)
        assert remove_versions(pair) == 0

        def read_until_cancelled() -> None:
            while True:
                rows(connection)
                time.sleep(0.1)

        with pytest.raises(psycopg.errors.SerializationFailure, match="conflict with recovery"):
            read_until_cancelled()


@pytest.mark.parametrize("delay", ["2s", "-1"])
def test_a_query_delays_a_revocation(pair: Pair, acme: Organization, settings: Callable[..., None], delay: str) -> None:
    make_leads(pair, acme)
    settings(hot_standby_feedback="off", max_standby_streaming_delay=delay)
    connect = made_analyst(pair, "bea", acme)
    with closing(connect()) as holder, connect() as session:
        holder.execute("begin isolation level repeatable read")
        assert rows(holder)
        remove_versions(pair)
        assert leads_here(pair.primary.database)("bi", "revoke", "bea").returncode == 0
        assert rows(session), "nothing is replayed while the query may go on"
        connect().close()
        if delay == "-1":
            # The control: until the analyst's session ends.
            time.sleep(4)
            assert rows(session)
            holder.close()
        wait_for(lambda: rows(session) == 0)
        with pytest.raises(psycopg.OperationalError):
            connect()


def test_the_limits_hold(pair: Pair, acme: Organization) -> None:
    connect = made_analyst(pair, "cid", acme)
    with connect() as connection:
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute(
                "select count(*) from (select repeat('x', 900) || n from generate_series(1, 900000) n order by 1) s"
            )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("set temp_file_limit = -1")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("select pg_sleep(90)")
        for write in ("create temp table t ()", "alter role cid set work_mem = '1GB'", "listen x", "notify x"):
            with pytest.raises((psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.FeatureNotSupported)):
                connection.execute(write.encode())


def test_psql_shows_the_views(pair: Pair, acme: Organization) -> None:
    with made_analyst(pair, "dot", acme)() as connection:
        info = connection.info
        address = f"postgresql://dot:{info.password}@127.0.0.1:{info.port}/leads"
    commands = [r"\d", r"\d+ leads", r"\dv+ bi.*", r"\dn+", r"\l", r"\du", r"\dp", r"\dt *.*", r"\df bi.*", r"\dconfig"]
    options = [part for command in commands for part in ("-c", command)]
    shown = pair.standby.run("psql", "-X", address, *options)
    assert "source_performance" in shown
    assert "ERROR" not in shown
