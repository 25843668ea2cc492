"""PgBouncer with TLS in front of the analysts' port, with the files of docs/examples."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.embedded.account import server_account
from app.settings import ROOT
from tests.support.database import Database, Organization
from tests.support.process import Leads, free_port, printed, wait_until_open

EXAMPLES = ROOT / "docs" / "examples"


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer: its port, its folder, and the analysts' database."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    database: Database
    leads: Leads
    organization: str

    def create(self) -> tuple[str, str]:
        """Creates an analyst; returns the login and the password."""
        login = f"pooled_{uuid4().hex[:12]}"
        address = printed(self.leads("bi", "create", login, "--organization", self.organization))
        return login, urlsplit(address).password or ""

    def rotate(self, login: str) -> str:
        """Gives the analyst a new password, and returns it."""
        return urlsplit(printed(self.leads("bi", "rotate", login))).password or ""

    def reload_users(self) -> None:
        """Writes PgBouncer's list of users and lets PgBouncer read it, as docs/bi.md says."""
        write_users(self.database, self.folder)
        self.process.send_signal(signal.SIGHUP)

    @contextmanager
    def waiting_for(self, seconds: int) -> Iterator[None]:
        """During the block, a client that waits for a session of PostgreSQL is refused after so many seconds."""
        self._set_wait(seconds)
        try:
            yield
        finally:
            self._set_wait(60)

    def _set_wait(self, seconds: int) -> None:
        file, name = self.folder / "ini", "query_wait_timeout"
        file.write_text(re.sub(rf"{name} = \d+", f"{name} = {seconds}", file.read_text()))
        self.process.send_signal(signal.SIGHUP)

    def address(self, login: str, password: str, **parameters: str) -> str:
        """The analyst's address at PgBouncer."""
        values = {
            "host": "127.0.0.1",
            "port": str(self.port),
            "dbname": self.database.name,
            "user": login,
            "password": password,
            "sslmode": "verify-full",
            "sslrootcert": str(self.folder / "ca.crt"),
            "connect_timeout": "60",
            **parameters,
        }
        return psycopg.conninfo.make_conninfo(**values)

    def ask(self, login: str, password: str, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query. Waits for a login that PgBouncer does not know yet."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with (
                suppress(psycopg.OperationalError),
                psycopg.connect(self.address(login, password), autocommit=True) as connection,
            ):
                return connection.execute(query.encode()).fetchall()
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def refusal(self, address: str) -> str:
        """The message with which a connection is refused."""
        with pytest.raises(psycopg.OperationalError) as caught, closing(psycopg.connect(address)) as connection:
            # PgBouncer logs in to PostgreSQL only for the first statement.
            connection.execute("select 1")
        return str(caught.value)


def write_users(database: Database, folder: Path) -> None:
    """Writes the analysts' verifiers into PgBouncer's auth_file."""
    rows = database.sql((EXAMPLES / "pgbouncer_userlist.sql").read_text(encoding="utf-8"))
    new = folder / "userlist.new"
    new.write_text("".join(f"{row['format']}\n" for row in rows))
    new.chmod(0o600)
    shutil.chown(new, server_account().pw_uid, server_account().pw_gid)
    new.rename(folder / "userlist.txt")


def certificate(folder: Path) -> None:
    """Writes an authority, and a certificate of 127.0.0.1 that it has signed."""
    start = datetime.now(UTC) - timedelta(minutes=5)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    authority, name = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("Test", "localhost")
    )
    for key, subject, file in ((keys[0], authority, "ca.crt"), (keys[1], name, "server.crt")):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=file == "ca.crt", path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        (folder / file).write_bytes(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        keys[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def configuration(database: Database, port: int, folder: Path, mode: str) -> str:
    """docs/examples/pgbouncer.ini with the test's paths. The session's mode may be replaced."""
    text = (EXAMPLES / "pgbouncer.ini").read_text(encoding="utf-8")
    server = database.server
    for pattern, value in (
        (r"leads = host=127\.0\.0\.1 port=5433", f"{database.name} = host={server.socket_dir} port={server.port}"),
        (r"listen_addr = \*", "listen_addr = 127.0.0.1"),
        (r"listen_port = 6432", f"listen_port = {port}"),
        (r"/etc/pgbouncer", str(folder)),
        (r"pool_mode = session", f"pool_mode = {mode}"),
        # On a busy machine, PostgreSQL may need more than 10 seconds for a login.
        (r"query_wait_timeout = 10", "query_wait_timeout = 60"),
    ):
        text, count = re.subn(pattern, value, text)
        assert count, pattern
    return f"{text}\nlogfile = {folder}/log\n"


@pytest.fixture(scope="module")
def new_pooler(database: Database, leads: Leads, acme: Organization) -> Iterator[Callable[[str], Pooler]]:
    """Starts PgBouncer in a mode."""
    program = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.skip("NOT TESTED: PgBouncer is not installed (Debian: apt install pgbouncer)")
    account = server_account()
    # PgBouncer refuses to run as root.
    owner: dict[str, Any] = {}
    if os.geteuid() != account.pw_uid:
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    started: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(mode: str) -> Pooler:
        folder = Path(tempfile.mkdtemp(prefix="leads-tls-"))
        folder.chmod(0o755)
        port = free_port()
        certificate(folder)
        (folder / "ini").write_text(configuration(database, port, folder, mode))
        write_users(database, folder)
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, account.pw_uid, account.pw_gid)
        process = subprocess.Popen([program, "-q", folder / "ini"], cwd="/", stderr=subprocess.DEVNULL, **owner)
        started.append((process, folder))
        wait_until_open(port, process, folder / "log")
        return Pooler(process, port, folder, database, leads, acme.id)

    yield start
    for process, folder in started:
        process.kill()  # from 1.23 on, SIGTERM waits for the clients
        process.wait()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def pooler(
    new_pooler: Callable[[str], Pooler],
    database: Database,
    acme: Organization,
    new_organization: Callable[..., Organization],
) -> Pooler:
    """PgBouncer as in docs/examples, and an organization with three leads beside one with five."""
    for organization, count in ((acme.id, 3), (new_organization().id, 5)):
        insert = "insert into app.lead (organization_id, email) select %s, 'a@example.com' from generate_series(1, %s)"
        database.sql(insert, organization, count)
    return new_pooler("session")


@pytest.fixture(scope="module")
def ann(pooler: Pooler) -> tuple[str, str]:
    """An analyst that PgBouncer knows."""
    analyst = pooler.create()
    pooler.reload_users()
    pooler.ask(*analyst, "select 1")
    return analyst


def test_the_session_is_the_analysts_own(pooler: Pooler, ann: tuple[str, str]) -> None:
    with psycopg.connect(pooler.address(*ann), autocommit=True) as connection:
        assert connection.pgconn.ssl_in_use
        row = connection.execute("select session_user::text, current_user::text, count(*) from bi.leads").fetchone()
        assert row == (ann[0], ann[0], 3)
        rows = connection.execute("select current_setting('search_path'), current_setting('statement_timeout')")
        assert rows.fetchone() == ("bi", "1min")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("set session authorization postgres")


def test_a_setting_ends_with_the_connection(pooler: Pooler, ann: tuple[str, str]) -> None:
    with psycopg.connect(pooler.address(*ann), autocommit=True) as connection:
        connection.execute("set statement_timeout = '10min'")
        assert connection.execute("show statement_timeout").fetchone() == ("10min",)
        with psycopg.connect(pooler.address(*ann), autocommit=True) as other:
            assert other.execute("show statement_timeout").fetchone() == ("1min",)
    for _ in range(2):
        assert pooler.ask(*ann, "show statement_timeout") == [("1min",)]


def test_a_setting_in_the_address_is_refused(pooler: Pooler, ann: tuple[str, str]) -> None:
    address = pooler.address(*ann, options="-c statement_timeout=10min")
    assert "unsupported startup parameter" in pooler.refusal(address)


def test_statements_can_be_prepared(pooler: Pooler, ann: tuple[str, str]) -> None:
    for _ in range(2):
        with psycopg.connect(pooler.address(*ann), autocommit=True, prepare_threshold=0) as connection:
            rows = [connection.execute("select count(*) from leads where lead_score >= %s", (0,)) for _ in range(3)]
            assert rows[-1].fetchone() == (3,)


def test_a_client_without_tls_is_refused(pooler: Pooler, ann: tuple[str, str]) -> None:
    assert "SSL required" in pooler.refusal(pooler.address(*ann, sslmode="disable"))


def test_a_client_detects_another_certificate(pooler: Pooler, ann: tuple[str, str]) -> None:
    address = pooler.address(*ann, sslrootcert=str(pooler.folder / "server.crt"))
    assert "certificate verify failed" in pooler.refusal(address)
    assert "does not match host name" in pooler.refusal(
        pooler.address(*ann, host="other.example", hostaddr="127.0.0.1")
    )


def test_a_wrong_password_is_refused(pooler: Pooler, ann: tuple[str, str]) -> None:
    assert "SASL authentication failed" in pooler.refusal(pooler.address(ann[0], ann[1][::-1]))


def test_only_analysts_are_listed(pooler: Pooler, ann: tuple[str, str]) -> None:
    pooler.reload_users()
    lines = (pooler.folder / "userlist.txt").read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r'"pooled_\w+" "SCRAM-SHA-256\$[^"]+"', line) for line in lines)
    for login in ("postgres", "leads_migrator", "leads_api"):
        assert pooler.refusal(pooler.address(login, "x"))


def test_a_rotated_and_a_revoked_login_are_refused_although_the_list_is_old(pooler: Pooler) -> None:
    (rotated, old), (revoked, password) = pooler.create(), pooler.create()
    pooler.reload_users()
    for analyst in ((rotated, old), (revoked, password)):
        assert pooler.ask(*analyst, "select count(*) from leads") == [(3,)]
    with closing(psycopg.connect(pooler.address(revoked, password), autocommit=True)) as connection:
        connection.execute("select 1")
        printed(pooler.leads("bi", "revoke", revoked))
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    new = pooler.rotate(rotated)
    assert f'"{revoked}"' in (pooler.folder / "userlist.txt").read_text()
    # PgBouncer still accepts both passwords, and PostgreSQL refuses them.
    addresses = (pooler.address(rotated, old), pooler.address(revoked, password))
    with pooler.waiting_for(3), ThreadPoolExecutor() as threads:
        for message in threads.map(pooler.refusal, addresses):
            # PgBouncer 1.18 waits and tries again; 1.24 passes PostgreSQL's answer on.
            assert re.search("query_wait_timeout|authentication failed|no pg_hba.conf entry", message), message
    assert "SASL authentication failed" in pooler.refusal(pooler.address(rotated, new))
    pooler.reload_users()
    assert pooler.ask(rotated, new, "select count(*) from leads") == [(3,)]
    for address in addresses:
        assert "SASL authentication failed" in pooler.refusal(address)


def test_in_transaction_mode_a_setting_reaches_another_client(
    pooler: Pooler, new_pooler: Callable[[str], Pooler], ann: tuple[str, str]
) -> None:
    """Why the example has the mode session. The rows stay the analyst's own in both modes."""
    shared = new_pooler("transaction")
    with (
        psycopg.connect(shared.address(*ann), autocommit=True) as first,
        psycopg.connect(shared.address(*ann), autocommit=True) as second,
    ):
        first.execute("set statement_timeout = '7min'")
        assert second.execute("show statement_timeout").fetchone() == ("7min",)
        row = second.execute("select session_user::text, count(*) from bi.leads").fetchone()
        assert row == (ann[0], 3)
