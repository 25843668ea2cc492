"""Analysts: logins that the command line creates, connections over TCP with a password,
and ``leads psql``.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app import embedded
from app.cli import migrate
from app.embedded import process
from tests.support.database import Database, Organization
from tests.support.process import Leads, free_port, leads_in, mistake, printed
from tests.support.pushing import wait_for

ADDRESSES = ("DATABASE_URL", "LEADS_MIGRATE_URL", "LEADS_OPERATOR_URL", "LEADS_WORKER_URL", "BI_PORT")


@dataclass(frozen=True)
class Place:
    """A data folder with its own server, which accepts analysts over TCP."""

    folder: Path
    server: embedded.Server
    leads: Leads
    organization: str

    def sql(self, statement: str, *values: Any, login: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs a statement as the login, by default a superuser, and returns its rows."""
        with psycopg.connect(self.server.url(login), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def analyst(self, login: str, *options: str) -> str:
        """Creates an analyst, and returns the printed address."""
        return printed(self.leads("bi", "create", login, "--organization", self.organization, *options))


def command(folder: Path) -> Leads:
    """Returns a function that runs ``leads`` with the folder's database, and without addresses."""
    environ = {name: value for name, value in os.environ.items() if name not in ADDRESSES}
    return leads_in({**environ, "LEADS_DATA_DIR": str(folder)})


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="leads-bi-", dir="/tmp"))
    path.chmod(0o755)
    yield path / "data"
    for pid_file in path.glob("*/postgres/postmaster.pid"):  # left by a failed test
        process.stop(pid_file.parent.parent)
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def place(folder: Path) -> Iterator[Place]:
    with embedded.running(folder, tcp_port=free_port(), options={"fsync": "off"}) as server:
        migrate.apply(server.url("leads_migrator"))
        leads = command(folder)
        acme, other = (
            printed(leads("organizations", "create", name)) for name in ("Acme Restoration", "Bolt Plumbing")
        )
        place = Place(folder, server, leads, acme)
        for organization, count in ((acme, 3), (other, 5)):
            place.sql(
                "insert into app.lead (organization_id, email) select %s, 'a@example.com' from generate_series(1, %s)",
                organization,
                count,
            )
        yield place


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def refused(url: str) -> str:
    """Returns the server's message when it refuses the connection."""
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(url).close()
    return str(caught.value)


def expire(place: Place, login: str) -> None:
    """Makes the login one whose time has come."""
    place.sql(
        "alter table auth.analyst disable trigger _110_refuse_change; "
        f"update auth.analyst set expires_at = date_trunc('milliseconds', now()) where role_name = '{login}'; "
        "alter table auth.analyst enable trigger _110_refuse_change; "
        f"alter role {login} valid until '2020-01-01'"
    )


def logins(place: Place, pattern: str) -> list[str]:
    return [row[0] for row in place.sql("select rolname::text from pg_roles where rolname ~ %s", pattern)]


# leads bi create


def test_the_printed_address_works_over_tcp(place: Place) -> None:
    url = place.analyst("ann")
    assert re.fullmatch(rf"postgresql://ann:[\w-]{{32}}@127\.0\.0\.1:{place.server.port}/leads", url)
    with psycopg.connect(url) as connection:
        info = connection.info
        assert (info.user, info.host, info.port) == ("ann", "127.0.0.1", place.server.port)
        assert connection.execute("select count(*) from leads").fetchall() == [(3,)]  # the search path is bi


def test_the_password_is_shown_once(place: Place) -> None:
    created = json.loads(place.analyst("bea", "--json"))
    assert created.keys() == {"login", "organization_id", "password", "url"}
    assert (created["login"], created["organization_id"]) == ("bea", place.organization)
    assert ask(created["url"], "select session_user::text") == [("bea",)]
    verifier = place.sql("select rolpassword from pg_authid where rolname = 'bea'")[0][0]
    assert verifier.startswith("SCRAM-SHA-256$")
    for text in (printed(place.leads("bi", "list", "--json")), (place.folder / "postgresql.log").read_text()):
        assert created["password"] not in text


def test_a_wrong_password_is_refused(place: Place) -> None:
    url = place.analyst("cleo")
    password = str(conninfo_to_dict(url)["password"])
    for wrong in (f":{password[::-1]}@", ":@", "@"):
        message = refused(url.replace(f":{password}@", wrong))
        assert "password authentication failed" in message or "no password supplied" in message


def test_the_defaults_of_a_session(place: Place) -> None:
    url = place.analyst("dora")
    expected = {
        "default_transaction_read_only": "on",
        "statement_timeout": "1min",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "1min",
        "idle_session_timeout": "8h",
        "TimeZone": "UTC",
        "search_path": "bi",
        "client_connection_check_interval": "5s",
        "temp_file_limit": "512MB",
        "log_min_messages": "fatal",
    }
    assert {name: ask(url, f"show {name}")[0][0] for name in expected} == expected
    wait_for(lambda: not place.sql("select 1 from pg_stat_activity where usename = 'dora'"))
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(psycopg.connect(url))
        assert 'too many connections for role "dora"' in refused(url)


def test_limits_that_an_analyst_cannot_change(place: Place) -> None:
    url = place.analyst("lea")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        for setting in ("temp_file_limit", "log_min_messages"):
            for statement in (f"set {setting} = default", f"alter role lea set {setting} = default"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.replace("default", "'0'").encode())
            with suppress(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"alter role lea reset {setting}".encode())
        connection.execute("alter role lea reset all")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("alter role lea connection limit 100")
        size = (place.folder / "postgresql.log").stat().st_size
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("select repeat('x', 1000000)::integer")
        assert (place.folder / "postgresql.log").stat().st_size - size < 100_000
    assert [ask(url, f"show {name}")[0][0] for name in ("temp_file_limit", "log_min_messages")] == ["512MB", "fatal"]
    assert ask(url, "select count(*) from bi.leads") == [(3,)]


def test_a_query_ends_at_the_limit_for_temporary_files(place: Place) -> None:
    url = place.analyst("leo")
    place.sql("alter role leo set temp_file_limit = '1MB'")
    with psycopg.connect(url) as connection:
        connection.execute("set work_mem = '64kB'")
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute("select n from generate_series(1, 300000) as n order by -n limit 1 offset 299999")


def test_the_number_of_connections_can_be_changed(place: Place) -> None:
    url = place.analyst("max", "--connections", "2")
    with psycopg.connect(url), psycopg.connect(url):
        assert 'too many connections for role "max"' in refused(url)
        assert printed(place.leads("bi", "alter", "max", "--connections", "3")) == "The login max has 3 connections."
        with psycopg.connect(url):
            assert 'too many connections for role "max"' in refused(url)


def test_an_analyst_of_an_older_release_gets_the_limits(place: Place) -> None:
    url = place.analyst("old")
    place.sql("alter role old reset all; alter role old connection limit 5")
    printed(place.leads("bi", "alter", "old", "--connections", "12", "--json"))
    for name, value in {"client_connection_check_interval": "5s", "temp_file_limit": "512MB"}.items():
        assert ask(url, f"show {name}") == [(value,)]


def test_a_new_password_replaces_the_old_one_and_ends_the_sessions(place: Place) -> None:
    old = place.analyst("ned", "--connections", "7")
    with psycopg.connect(old) as connection:
        new = printed(place.leads("bi", "rotate", "ned"))
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    assert "password authentication failed" in refused(old)
    assert ask(new, "select count(*) from leads") == [(3,)]
    assert place.sql("select rolconnlimit from pg_roles where rolname = 'ned'") == [(7,)]
    # The migrating login hasn't kept the analyst's rights.
    members = "select to_jsonb(m) from pg_auth_members as m where roleid = 'ned'::regrole"
    assert [row[0] for row in place.sql(members) if row[0].get("set_option", True)] == []
    assert json.loads(printed(place.leads("bi", "rotate", "ned", "--json"))).keys() == {"login", "password", "url"}


def test_an_expired_login_is_refused_and_its_open_session_sees_nothing(place: Place) -> None:
    url = place.analyst("eve", "--expires", "1h")
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("select count(*) from leads").fetchall() == [(3,)]
        listed = {row["login"]: row for row in json.loads(printed(place.leads("bi", "list", "--json")))}
        assert (listed["eve"]["state"], listed["eve"]["expires_at"] is not None) == ("good", True)
        expire(place, "eve")
        assert connection.execute("select count(*) from leads").fetchall() == [(0,)]
    assert "password authentication failed" in refused(url)
    listed = {row["login"]: row for row in json.loads(printed(place.leads("bi", "list", "--json")))}
    assert listed["eve"]["state"] == "expired"
    assert "is dropped" in printed(place.leads("bi", "revoke", "eve"))


def test_a_hint_is_printed_without_an_open_port(folder: Path) -> None:
    data_dir = folder.parent / "quiet"
    with embedded.running(data_dir, options={"fsync": "off"}) as server:
        migrate.apply(server.url("leads_migrator"))
    leads = command(data_dir)
    acme = printed(leads("organizations", "create", "Acme Restoration"))
    created = leads("bi", "create", "ann", "--organization", acme)
    assert created.stdout.strip().endswith("@127.0.0.1:5433/leads")
    assert created.stderr == "No server accepts connections there yet. Run: leads serve --bi-port 5433\n"

    port = free_port()
    created = leads("bi", "create", "bea", "--organization", acme, BI_PORT=str(port))
    assert f"leads serve --bi-port {port}" in created.stderr
    with embedded.running(data_dir, tcp_port=port):
        assert ask(created.stdout.strip(), "select count(*) from leads") == [(0,)]


def test_with_your_own_server(leads: Leads, database: Database, new_organization: Callable[..., Organization]) -> None:
    """The address is that of LEADS_MIGRATE_URL:
    here a socket, and a database that is not called leads.
    """
    login = f"own_{uuid4().hex[:12]}"
    url = printed(leads("bi", "create", login, "--organization", new_organization().id))
    assert ask(url, "select session_user::text, current_database()::text") == [(login, database.name)]
    counted = ("-c", "select 40 + 2", "-tA")
    assert printed(leads("psql", "--organization", new_organization().id, *counted)) == "42"
    # What makes the connection safe is in the address too.
    migrate = database.url("leads_migrator") + "&sslmode=disable&channel_binding=prefer&application_name=x"
    rotated = printed(leads("bi", "rotate", login, LEADS_MIGRATE_URL=migrate))
    assert rotated.endswith("?sslmode=disable")
    assert ask(rotated, "select session_user::text") == [(login,)]
    printed(leads("bi", "revoke", login))
    assert database.sql("select 1 from pg_roles where rolname = %s", login) == []


# What an analyst can hold


def test_an_analyst_takes_no_transaction_ids(place: Place) -> None:
    url = place.analyst("tom")
    counted = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    with psycopg.connect(url, autocommit=True) as connection:
        before = place.sql(counted)[0][0]
        for function in ("pg_current_xact_id", "txid_current"):
            loop = f"do $$ begin for n in 1..10000 loop perform {function}(); commit; end loop; end $$"
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(loop.encode())
        assert place.sql(counted)[0][0] - before < 1000


def test_an_open_transaction_of_an_analyst_is_reported(place: Place) -> None:
    def found() -> dict[str, str]:
        findings = json.loads(place.leads("doctor", "--json").stdout)["findings"]
        return {row["subject"]: row["finding"] for row in findings if row["subject"].startswith("session ")}

    with psycopg.connect(place.analyst("tia")) as reader, psycopg.connect(place.analyst("ute")) as writer:
        for session in (reader, writer):
            session.execute("set idle_in_transaction_session_timeout = 0")
            session.commit()
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("select count(*) from leads")
        writer.execute("set transaction read write")
        writer.execute("alter role ute set work_mem = '5MB'")
        reading, writing = f"session {reader.info.backend_pid} of tia", f"session {writer.info.backend_pid} of ute"
        assert found().keys() == {writing}
        place.sql("do $$ begin for n in 1..1000001 loop perform pg_current_xact_id(); commit; end loop; end $$")
        findings = found()
        assert findings.keys() == {reading, writing}
        assert "VACUUM" in findings[reading]
        assert "locks" in findings[writing]
    wait_for(lambda: found() == {})  # the sessions end a moment after their connections


@contextmanager
def locking_its_role(url: str, sessions: int = 1, *, commits: bool = False) -> Iterator[None]:
    """Keeps the analyst's role locked from this many sessions, each of which connects again when it
    was ended.

    commits: they change it again and again, in transactions that end.
    """
    login, password = (str(conninfo_to_dict(url)[name]) for name in ("user", "password"))
    taken, stop = threading.Event(), threading.Event()

    def lock() -> None:
        while not stop.is_set():
            # PostgreSQL ends the session, or refuses it, or another one has changed the role.
            with suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
                connection.execute("set default_transaction_read_only = off")
                connection.execute("set idle_in_transaction_session_timeout = 0")
                while not stop.is_set():
                    connection.execute("begin")
                    connection.execute(f"alter role {login} set work_mem = '5MB'".encode())
                    connection.execute(f"alter role {login} password '{password}'".encode())
                    taken.set()
                    while not commits and not stop.wait(0.01):
                        connection.execute("select 1")
                    connection.execute("commit" if commits else "rollback")

    threads = [threading.Thread(target=lock) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    try:
        assert taken.wait(60)
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(("login", "sessions", "commits"), [("vic", 1, False), ("viv", 8, False), ("von", 8, True)])
def test_an_analyst_who_locks_its_role_is_revoked(place: Place, login: str, sessions: int, *, commits: bool) -> None:
    with locking_its_role(place.analyst(login), sessions, commits=commits):
        assert "is dropped" in printed(place.leads("bi", "revoke", login))
    assert logins(place, f"^{login}$") == []


def test_an_analyst_who_locks_its_role_gets_a_new_password(place: Place) -> None:
    old = place.analyst("wes")
    with locking_its_role(old):
        message = mistake(place.leads("bi", "alter", "wes", "--connections", "3"))
        assert "leads bi rotate wes" in message
        new = printed(place.leads("bi", "rotate", "wes"))
    assert "password authentication failed" in refused(old)
    assert ask(new, "select count(*) from leads") == [(3,)]
    assert printed(place.leads("bi", "alter", "wes", "--connections", "3")) == "The login wes has 3 connections."


def test_a_role_that_another_login_locks_sees_no_row_and_is_revoked_later(place: Place) -> None:
    url = place.analyst("xan")
    with psycopg.connect(place.server.url("postgres")) as other:
        other.execute("alter role xan password 'x'")
        message = mistake(place.leads("bi", "revoke", "xan"))
        assert "return no rows" in message
        assert "leads bi revoke xan" in message
        with psycopg.connect(url) as connection:
            assert connection.execute("select count(*) from leads").fetchall() == [(0,)]
        other.rollback()
    assert "is dropped" in printed(place.leads("bi", "revoke", "xan"))


def test_an_open_transaction_of_an_analyst_stops_no_command(place: Place) -> None:
    with closing(psycopg.connect(place.analyst("yan"))) as connection:
        connection.execute("set idle_in_transaction_session_timeout = 0")
        connection.commit()
        connection.execute("set transaction read write")
        connection.execute("grant connect on database leads to public")  # a warning, which locks the database's row
        printed(place.leads("organizations", "create", "Cole Roofing"))
        place.analyst("yul")
        assert "is dropped" in printed(place.leads("bi", "revoke", "yul"))
        assert place.leads("doctor").returncode == 1
        assert "is dropped" in printed(place.leads("bi", "revoke", "yan"))


def test_a_session_that_blocks_the_superusers_script_is_named(place: Place) -> None:
    url = place.analyst("zac")
    place.sql("grant temporary on database leads to public")
    with psycopg.connect(url) as connection:
        connection.execute("set idle_in_transaction_session_timeout = 0")
        connection.commit()
        connection.execute("set transaction read write")
        connection.execute("grant connect on database leads to public")
        message = mistake(place.leads("organizations", "list"))
        assert f"zac (pid {connection.info.backend_pid})" in message
        assert "Traceback" not in message
    printed(place.leads("organizations", "list"))
    assert place.sql("select has_database_privilege('zac', 'leads', 'temporary')") == [(False,)]


# leads bi list


def test_analysts_are_listed_oldest_first(place: Place) -> None:
    place.analyst("zoe")
    place.analyst("abe", "--expires", "2100-01-01")
    listed = json.loads(printed(place.leads("bi", "list", "--organization", place.organization, "--json")))
    rows = [row for row in listed if row["login"] in ("zoe", "abe")]
    assert [(row["login"], row["organization"], row["state"], row["expires_at"]) for row in rows] == [
        ("zoe", "Acme Restoration", "good", None),
        ("abe", "Acme Restoration", "good", "2100-01-01T00:00:00.000Z"),
    ]
    assert "2100-01-01T00:00:00.000Z" in printed(place.leads("bi", "list"))
    assert "There is no organization" in mistake(place.leads("bi", "list", "--organization", str(uuid4())))


# leads bi revoke


def test_revoking_ends_every_open_session(place: Place) -> None:
    url = place.analyst("fay")
    gil_url = place.analyst("gil")
    with psycopg.connect(url) as idle, psycopg.connect(url) as within, psycopg.connect(gil_url) as gil:
        idle.execute("select 1")
        idle.rollback()
        within.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert within.execute("select count(*) from leads").fetchall() == [(3,)]  # from now on it has its snapshot

        results = json.loads(printed(place.leads("bi", "revoke", "fay", "--json")))
        assert results == {"login": "fay", "state": "dropped"}
        for connection in (idle, within):
            with pytest.raises(psycopg.OperationalError, match="terminating connection"):
                connection.execute("select count(*) from leads")
        assert gil.execute("select count(*) from leads").fetchall() == [(3,)]
    assert "password authentication failed" in refused(url) or "no pg_hba.conf entry" in refused(url)
    assert logins(place, "^fay$") == []
    place.analyst("fay")  # the name is free again


def test_revoking_ends_a_running_query(place: Place) -> None:
    url = place.analyst("hal")
    query = "import sys, psycopg; psycopg.connect(sys.argv[1]).execute('select pg_sleep(50) from leads')"
    with subprocess.Popen([sys.executable, "-c", query, url], stderr=subprocess.PIPE, text=True) as running:
        active = "select 1 from pg_stat_activity where usename = 'hal' and query ~ 'pg_sleep'"
        wait_for(lambda: place.sql(active))
        printed(place.leads("bi", "revoke", "hal"))
        assert "AdminShutdown" in running.communicate(timeout=60)[1]


def test_an_interrupted_revocation_is_completed_by_the_next(place: Place) -> None:
    place.analyst("ida")
    place.sql("select admin.revoke_analyst('ida')", login="leads_migrator")
    assert logins(place, "^ida$") == ["ida"]
    printed(place.leads("bi", "revoke", "ida"))
    assert logins(place, "^ida$") == []


def test_default_privileges_that_the_analyst_altered_are_dropped(place: Place) -> None:
    url = place.analyst("jo")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute("alter default privileges grant select on tables to public")
        connection.execute("alter default privileges revoke execute on functions from public")
    assert "is dropped" in printed(place.leads("bi", "revoke", "jo"))
    assert logins(place, "^jo$") == []
    assert place.sql("select 1 from pg_default_acl where defaclrole not in (select oid from pg_roles)") == []


def test_what_a_login_owns_is_named_and_not_dropped(place: Place) -> None:
    url = place.analyst("kay")
    place.sql("create schema lab; create table lab.notes (n integer); alter table lab.notes owner to kay")
    place.sql("create database elsewhere")
    with psycopg.connect(place.server.url("postgres", "elsewhere"), autocommit=True) as connection:
        connection.execute("create table t (); grant select on t to kay")
    message = mistake(place.leads("bi", "revoke", "kay"))
    assert "table lab.notes" in message
    assert 'something in the database "elsewhere"' in message
    assert "password authentication failed" in refused(url) or "not permitted to log in" in refused(url)
    found = {row["subject"]: row for row in json.loads(place.leads("doctor", "--json").stdout)["findings"]}
    assert found["role kay"]["remedy"] == "leads bi revoke kay"

    place.sql("drop database elsewhere")
    place.sql("reassign owned by kay to postgres; drop owned by kay")
    printed(place.leads("bi", "revoke", "kay"))
    place.sql("drop schema lab cascade")
    assert logins(place, "^kay$") == []


# Two databases in one cluster


def test_two_databases_of_one_cluster_share_the_logins(place: Place) -> None:
    place.analyst("lou")

    # A session ends a moment after its connection, and later on a busy machine. PostgreSQL waits for 5 seconds.
    def copy() -> bool:
        with suppress(psycopg.errors.ObjectInUse):
            place.sql("create database staging template leads owner leads_migrator")
            return True
        return False

    wait_for(copy)
    staging = place.server.url("leads_migrator", "staging")
    try:
        with psycopg.connect(place.server.url("postgres", "staging")) as connection:
            connection.execute("delete from auth.analyst")
        arguments = ("bi", "create", "moe", "--organization", place.organization)
        printed(place.leads(*arguments, LEADS_MIGRATE_URL=staging))

        def unbound(**environ: str) -> dict[str, str]:
            found = json.loads(place.leads("doctor", "--json", **environ).stdout)["findings"]
            return {row["subject"]: row["remedy"] for row in found if "has no organization" in row["finding"]}

        assert unbound() == {}
        assert unbound(LEADS_MIGRATE_URL=staging) == {}
        assert 'is an analyst of the database "staging"' in mistake(place.leads("bi", "revoke", "moe"))
        place.sql("alter database staging allow_connections false")
        assert unbound()["role moe"].startswith("Only if it isn't an analyst of the database staging")
        place.sql("alter database staging allow_connections true")
        with psycopg.connect(place.server.url("postgres", "staging")) as connection:
            connection.execute("delete from auth.analyst")
        assert unbound()["role moe"].startswith("revoke leads_bi from moe")

        passwords = {"DATABASE_URL": place.server.url("leads_api") + "&password=secret", "LEADS_MIGRATE_URL": staging}
        is_set = "select rolpassword is not null from pg_authid where rolname = 'leads_api'"
        refusal = place.leads("migrate", "--set-passwords", **passwords)
        assert refusal.returncode == 130
        assert "also belong to the database leads of this server" in refusal.stderr
        assert "No password was changed. Use --yes" in refusal.stderr
        assert place.sql(is_set) == [(False,)]
        assert place.leads("migrate", "--set-passwords", "--yes", **passwords).returncode == 0
        assert place.sql(is_set) == [(True,)]
        place.sql("alter role leads_api password null")
    finally:
        place.sql("drop database staging with (force)")
    printed(place.leads("bi", "revoke", "moe"))
    # One database is not asked about.
    alone = {**passwords, "LEADS_MIGRATE_URL": place.server.url("leads_migrator")}
    done = place.leads("migrate", "--set-passwords", **alone)
    assert (done.returncode, "leads_router" in done.stderr) == (0, False)
    router = place.server.url("leads_router") + "&password=secret"
    done = place.leads("migrate", "--set-passwords", **alone, LEADS_ROUTER_URL=router)
    assert "leads_router: the password in LEADS_ROUTER_URL is set." in done.stderr
    assert place.sql(is_set.replace("leads_api", "leads_router")) == [(True,)]
    place.sql("alter role leads_api password null; alter role leads_router password null")


# leads psql


def test_psql_runs_as_an_analyst_and_leaves_no_login(place: Place) -> None:
    arguments = ("psql", "--organization", place.organization)
    assert printed(place.leads(*arguments, "-tAc", "select count(*) from bi.leads")) == "3"
    assert re.fullmatch("psql_[0-9a-f]{12}", printed(place.leads(*arguments, "-tAc", "select session_user")))
    process = place.leads(*arguments, "-c", "select from app.lead where score_id is null")
    assert (process.returncode, "permission denied" in process.stderr) == (1, True)  # psql exits with 1
    assert logins(place, "^psql_") == []
    assert "psql_" not in printed(place.leads("bi", "list"))


def test_psql_uses_the_demo_organization_by_default(place: Place) -> None:
    assert "There is no demo organization. Use --organization ID" in mistake(place.leads("psql", "-c", "select 1"))
    printed(place.leads("demo"))
    assert printed(place.leads("psql", "-tAc", "select count(*) from leads")) == "400"


def test_psql_drops_the_login_of_a_killed_psql(place: Place) -> None:
    place.analyst("psql_0123456789ab", "--expires", "1h")
    place.analyst("psql_ba9876543210")  # of one that runs
    expire(place, "psql_0123456789ab")
    printed(place.leads("psql", "--organization", place.organization, "-c", "select 1"))
    assert logins(place, "^psql_") == ["psql_ba9876543210"]
    printed(place.leads("bi", "revoke", "psql_ba9876543210"))


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["bi", "create", "ann"], "Missing option '--organization'"),
        (["bi", "create", "ann", "--organization", "acme"], "not a valid UUID"),
        (["bi", "create", "new_one", "--organization", str(uuid4())], "There is no organization"),
        (["bi", "create", "Ann", "--organization", "ACME"], "Choose another name."),
        (["bi", "create", "leads_api", "--organization", "ACME"], "must not begin with a digit, pg_ or leads_"),
        (["bi", "create", "postgres", "--organization", "ACME"], '"postgres" already exists. Choose another name.'),
        (["bi", "create", "late", "--organization", "ACME", "--expires", "2020-01-01"], "The time of expiry is in"),
        (["bi", "create", "late", "--organization", "ACME", "--expires", "soon"], "Use 90d, 2026-12-31"),
        (["bi", "create", "many", "--organization", "ACME", "--connections", "0"], "must be a whole number from 1"),
        (["bi", "alter", "nobody_at_all", "--connections", "5"], 'There is no analyst "nobody_at_all"'),
        (["bi", "rotate", "leads_api"], 'There is no analyst "leads_api"'),
        (["bi", "revoke", "nobody_at_all"], "To list them, run: leads bi list"),
        (["bi", "revoke", "leads_api"], 'There is no analyst "leads_api"'),
        (["psql", "--organization", str(uuid4())], "There is no organization"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(place: Place, arguments: list[str], sentence: str) -> None:
    before = logins(place, ".")
    message = mistake(place.leads(*(place.organization if part == "ACME" else part for part in arguments)))
    assert sentence in message
    assert logins(place, ".") == before


def test_a_login_that_cannot_create_logins_is_reported(leads: Leads, database: Database) -> None:
    message = mistake(leads("bi", "list", LEADS_MIGRATE_URL=""))
    assert "LEADS_MIGRATE_URL is not set" in message
    message = mistake(
        leads("bi", "create", "ann", "--organization", str(uuid4()), LEADS_MIGRATE_URL=database.url("leads_api"))
    )
    assert 'The login "leads_api" lacks a privilege' in message
    assert "Set LEADS_MIGRATE_URL to the address of the login that runs leads migrate." in message


def test_a_missing_privilege_is_granted_as_the_message_says(place: Place) -> None:
    arguments = ("bi", "create", "granted", "--organization", place.organization)
    try:
        place.sql("alter role leads_migrator nocreaterole")
        message = mistake(place.leads(*arguments))
        place.sql(message.partition("Run as a superuser: ")[2])
        if place.sql("show server_version_num") >= [("160000",)]:  # before, CREATEROLE is enough
            place.sql("revoke admin option for leads_bi from leads_migrator cascade")
            message = mistake(place.leads(*arguments))
            place.sql(message.partition("Run as a superuser: ")[2])
        printed(place.leads(*arguments))
    finally:
        place.sql("alter role leads_migrator createrole; grant leads_bi to leads_migrator with admin option")


def test_what_pg_upgrade_from_15_does_not_restore_is_found_and_granted(place: Place) -> None:
    """pg_upgrade leaves four memberships without ADMIN OPTION, granted by a superuser, and no others."""
    if place.sql("select current_setting('server_version_num')::integer < 160000") == [(True,)]:
        pytest.skip("PostgreSQL 16 or later")
    place.analyst("ula")
    acting = ["leads_owner", "leads_auth", "leads_exec", "leads_jobs"]
    others = ["leads_audit", "leads_eraser", "leads_bi", "leads_api", "leads_worker", "leads_operator", "leads_router"]
    for role in (*acting, *others, "ula"):
        place.sql(f"revoke {role} from leads_migrator cascade")
    place.sql(f"grant {', '.join(acting)} to leads_migrator")

    assert "ADMIN OPTION" in mistake(place.leads("bi", "rotate", "ula"))
    create = ("bi", "create", "una", "--organization", place.organization)
    assert "leads doctor prints every grant" in mistake(place.leads(*create))
    addresses = {
        "LEADS_MIGRATE_URL": place.server.url("leads_migrator"),
        "DATABASE_URL": place.server.url("leads_api") + "&password=secret",
    }
    message = mistake(place.leads("migrate", "--set-passwords", "--yes", **addresses))
    assert "grant leads_owner, leads_auth, leads_exec, leads_intake, leads_jobs to" in message

    found = {row["subject"]: row for row in json.loads(place.leads("doctor", "--json").stdout)["findings"]}
    missing = {name: row for name, row in found.items() if "lacks ADMIN OPTION" in row["finding"]}
    assert missing.keys() == {f"membership of leads_migrator in {role}" for role in (*acting, *others, "ula")}
    for row in missing.values():
        place.sql(row["remedy"])
    printed(place.leads("bi", "rotate", "ula"))
    printed(place.leads(*create))
    assert place.leads("migrate", "--set-passwords", "--yes", **addresses).returncode == 0
    place.sql("alter role leads_api password null")
    found = {row["subject"]: row for row in json.loads(place.leads("doctor", "--json").stdout)["findings"]}
    assert not found.keys() & missing.keys()
