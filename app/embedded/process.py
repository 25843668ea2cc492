"""The server as a process: start it, join one that runs, wait until it is ready, stop it."""

import itertools
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from app.embedded import log_file
from app.embedded.account import subprocess_options
from app.embedded.errors import EmbeddedError, explain
from app.embedded.folders import open_file, polls

# The servers that this process has started, by data folder.
# An ended child must be reaped before it counts as gone.
_children: dict[Path, subprocess.Popen[bytes]] = {}

_LOG_END = 65536
"""Bytes at the end of the server's log in which the reason of the server's end is looked for."""
_REAP_POLLS = 1000
"""Polls, 10 seconds in all, in which the parent of an ended server must notice the end."""


@dataclass(frozen=True)
class Server:
    """A running server: its socket's folder, the port in the socket's name (also the TCP port, if
    TCP is on), and whether TCP is on.
    """

    socket_dir: Path
    port: int
    has_tcp: bool = False

    def url(self, role: str, database: str = "leads") -> str:
        """Return the address of `database` for `role`, through the socket.
        It needs no password and contains none.
        """
        parts = (quote(part, safe="") for part in (role, database, str(self.socket_dir)))
        return "postgresql://{}@/{}?host={}&port={}".format(*parts, self.port)


@dataclass(frozen=True)
class _PidFile:
    """The content of postmaster.pid (PostgreSQL's src/include/utils/pidfile.h).
    At first its last lines are missing.
    """

    pid: int
    server: Server
    status: str

    def is_current(self) -> bool:
        """Say whether that process listens on that socket.
        Asks the kernel: a dead server may have left the file.
        """
        level, option = (socket.SOL_SOCKET, socket.SO_PEERCRED) if sys.platform == "linux" else (0, 2)  # LOCAL_PEERPID
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.server.socket_dir / f".s.PGSQL.{self.server.port}"))
            except OSError:
                return False
            return bool(struct.unpack("i", connection.getsockopt(level, option, 4)) == (self.pid,))


def _read_pid_file(data_dir: Path) -> _PidFile | None:
    try:
        lines = os.fsdecode((data_dir / "postgres" / "postmaster.pid").read_bytes()).splitlines()
        pid, _, _, port, folder, hosts, _, status = lines + [""] * (8 - len(lines))
        return _PidFile(int(pid), Server(Path(folder), int(port), bool(hosts.strip())), status.strip())
    except (FileNotFoundError, ValueError):
        return None


def join(data_dir: Path, tcp_port: int | None) -> Server | None:
    """Return the server of `data_dir` if one runs.
    Waits for one that is stopping, for a minute at most.
    """
    for _ in itertools.islice(polls(f"Waiting for the server of {data_dir}, which is just stopping."), 6000):
        file = _read_pid_file(data_dir)
        if file and file.status != "stopping" and file.is_current():
            if tcp_port and (file.server.port, file.server.has_tcp) != (tcp_port, True):
                raise EmbeddedError(
                    f"The database in {data_dir} is in use, without TCP port {tcp_port}: end what uses it first."
                )
            _wait_until_ready(data_dir, file.pid, log_file.size(data_dir))
            return file.server
        if not file or file.status == "ready" or _is_gone(file.pid):
            break
    if not file and (child := _children.get(data_dir)):
        child.wait()  # the file disappears just before the process does
    if file and _is_gone(file.pid) and (parent := _parent_of_zombie(file.pid)):
        _wait_until_reaped(file.pid, parent)
    return None


def start(data_dir: Path, command: Sequence[str], account: pwd.struct_passwd) -> None:
    """Start the server as `account`, and wait until it accepts connections.
    Raises EmbeddedError.
    """
    with open_file(log_file.path(data_dir), os.O_WRONLY | os.O_APPEND) as log:
        log_start = log.tell()
        # In a session of its own: Ctrl-C in a terminal is meant for us,
        # and we stop the server when we have finished.
        child = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **subprocess_options(account))
    _children[data_dir] = child
    _wait_until_ready(data_dir, child.pid, log_start)


def running_pid(data_dir: Path) -> int | None:
    """Return the process of the server of `data_dir`; None if it has ended."""
    file = _read_pid_file(data_dir)
    return file.pid if file and not _is_gone(file.pid) else None


def why_ended(data_dir: Path, pid: int | None) -> str:
    """Return why the server, whose process was `pid`, has ended, as a sentence."""
    child = _children.get(data_dir)
    if child and child.pid == pid and child.returncode and child.returncode < 0:
        return f"{signal.Signals(-child.returncode).name} ended its process."
    try:
        start, _, output = log_file.end(data_dir, _LOG_END).rpartition("ready to accept connections")
    except OSError as error:
        return f"The reason is unknown, because its log can't be read: {error}"
    # Another process may have started it again, so that `pid` is of an earlier one.
    if match := re.search(r"\[(\d+)\] LOG: +database system is $", start):
        pid = int(match[1])
    # A failed login is FATAL, too. What the first process logs is about the server.
    consequences = "terminating any other|all server processes|shutting down because|database system is shut down"
    own = rf"\[{pid}\] (?:FATAL|LOG): +(?! |background worker |{consequences})(.+)"
    return explain("".join((re.findall(r"PANIC: +(.+)", output) or re.findall(own, output))[-1:]), data_dir)


def stop(data_dir: Path) -> None:
    """Stop the server of `data_dir`, if one runs, by a fast shutdown,
    which rolls open transactions back.
    """
    child, file = _children.get(data_dir), _read_pid_file(data_dir)
    if child and child.poll() is None:
        pid = child.pid
    elif file and file.is_current():
        child, pid = None, file.pid
    else:
        return
    os.kill(pid, signal.SIGINT)
    for _ in polls(f"The database in {data_dir} writes out its data before it stops; waiting for it."):
        file = _read_pid_file(data_dir)
        # The file is removed last. If nothing reaps orphans on this system, it is the only sign.
        if _is_gone(pid) or not (child or (file and file.pid == pid)):
            return


def _wait_until_ready(data_dir: Path, pid: int, log_start: int) -> None:
    """Wait until the server accepts connections, as long as it lives:
    a recovery may take minutes.
    """
    for _ in polls(f"The database in {data_dir} is still starting; after a crash it recovers first."):
        # Read from the file, as pg_ctl does: each attempt to connect would write a FATAL line to
        # the log.
        file = _read_pid_file(data_dir)
        if file and file.pid == pid and file.status == "ready" and file.is_current():
            return
        if _is_gone(pid):
            output = log_file.since(data_dir, log_start)
            raise EmbeddedError(f"The database in {data_dir} doesn't start: {explain(output, data_dir)}")


def reap() -> None:
    """Collect the servers that this process has started and that have ended."""
    for child in _children.values():
        child.poll()


def _is_gone(pid: int) -> bool:
    reap()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _parent_of_zombie(pid) is not None


def _parent_of_zombie(pid: int) -> int | None:
    """Return the parent of the process if it has ended and the parent hasn't collected it.

    None on a system without /proc.
    """
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return int(parent) if state == b"Z" else None


def _wait_until_reaped(pid: int, parent: int) -> None:
    """Wait until the parent of the ended server collects it, because PostgreSQL doesn't start
    while a process has the number in postmaster.pid. Raises EmbeddedError.
    """
    if parent == os.getpid():
        # Another process has started it and has ended; as process 1 we are the parent now.
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    for _ in itertools.islice(polls(f"Waiting until process {parent} notices that PostgreSQL has ended."), _REAP_POLLS):
        if _parent_of_zombie(pid) is None:
            return
    raise EmbeddedError(
        f"PostgreSQL (process {pid}) has ended, but its parent, process {parent}, doesn't notice it. End process "
        f"{parent}, and run the command again. In a container, use an init process (docker run --init)."
    )
