"""The server as a process: start it, join one that runs, wait until it is ready, stop it."""

import itertools
import os
import pwd
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from app.embedded.account import subprocess_options
from app.embedded.errors import EmbeddedError, explain
from app.embedded.folders import open_file, polls

# The servers that this process has started, by data folder.
# An ended child must be reaped before it counts as gone.
_children: dict[Path, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Server:
    """A running server: its socket's folder, and the port in the socket's name (also the TCP
    port, if TCP is on).
    """

    socket_dir: Path
    port: int

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
    has_tcp: bool
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
        lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
        pid, _, _, port, folder, hosts, _, status = lines + [""] * (8 - len(lines))
        return _PidFile(int(pid), Server(Path(folder), int(port)), bool(hosts.strip()), status.strip())
    except (FileNotFoundError, ValueError):
        return None


def join(data_dir: Path, tcp_port: int | None) -> Server | None:
    """Return the server of `data_dir` if one runs.
    Waits for one that is stopping, for a minute at most.
    """
    for _ in itertools.islice(polls(f"Waiting for the server of {data_dir}, which is just stopping."), 6000):
        file = _read_pid_file(data_dir)
        if file and file.status != "stopping" and file.is_current():
            if tcp_port and (file.server.port, file.has_tcp) != (tcp_port, True):
                raise EmbeddedError(
                    f"The database in {data_dir} is in use, without TCP port {tcp_port}: end what uses it first."
                )
            _wait_until_ready(data_dir, file.pid, (data_dir / "postgresql.log").stat().st_size)
            return file.server
        if not file or file.status == "ready" or _is_gone(file.pid):
            break
    if not file and (child := _children.get(data_dir)):
        child.wait()  # the file disappears just before the process does
    return None


def start(data_dir: Path, command: Sequence[str], account: pwd.struct_passwd) -> None:
    """Start the server as `account`, and wait until it accepts connections.
    Raises EmbeddedError.
    """
    with open_file(data_dir / "postgresql.log", os.O_WRONLY | os.O_APPEND) as log:
        log_start = log.tell()
        # In a session of its own: Ctrl-C in a terminal is meant for us,
        # and we stop the server when we have finished.
        child = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **subprocess_options(account))
    _children[data_dir] = child
    _wait_until_ready(data_dir, child.pid, log_start)


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
            output = (data_dir / "postgresql.log").read_bytes()[log_start:].decode(errors="replace")
            raise EmbeddedError(f"The database in {data_dir} doesn't start: {explain(output)}")


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
