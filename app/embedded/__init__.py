"""PostgreSQL from the wheel. Everything else in the repository reaches it through this package.

Each data folder has one server. A process that needs the database enters `running(data_dir)`. The
first process starts the server, later ones join it, and the last one stops it. Two lock files in
the data folder count the processes: each one holds `clients.lock` shared, and a process that starts
or stops the server holds `start.lock`. A process that fills a new database holds `prepare.lock`. The
kernel releases the locks of a killed process. The server that it leaves behind is joined by the
next process.

    data_dir/       belongs to the user who runs the command
      postgres/     the cluster (PGDATA), mode 0700, belongs to the account that the server runs as
      run/          the socket, likewise; a shorter path if this is too long (`make_socket_dir`)
      pg_hba.conf, pg_ident.conf, start.lock, clients.lock, prepare.lock
      postgresql.log, and postgresql.log.1 to .4, which are older (`log_file`)

That account is the current user or, for root, a system user, because PostgreSQL refuses to run as
root. Everything except those two folders belongs to the current user: root never writes where the
server's account could have placed a symbolic link.
"""

import fcntl
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

from app.embedded import account, cluster, folders, log_file, process, supervisor
from app.embedded.account import SYSTEM_USER
from app.embedded.cluster import LOGINS, binary, harden
from app.embedded.errors import EmbeddedError, plain_errors
from app.embedded.process import Server

__all__ = ["LOGINS", "SYSTEM_USER", "EmbeddedError", "Server", "binary", "exists", "harden", "preparing", "running"]


def exists(data_dir: Path) -> bool:
    """Say whether `data_dir` has a cluster. Raises EmbeddedError if the folder can't be read."""
    with plain_errors(data_dir):
        return (data_dir / "postgres").exists()


@contextmanager
def running(
    data_dir: Path, *, tcp_port: int | None = None, options: Mapping[str, str] = {}, is_supervised: bool = False
) -> Iterator[Server]:
    """Keep the server of `data_dir` running for the block:
    start or join it, and stop it if no other process uses it.

    The first use creates the cluster, the role `leads_migrator` and the database `leads`.
    `tcp_port` opens that port on 127.0.0.1 for analysts, who log in with their passwords.
    `options` are more settings of the server; they apply only if this call starts it.
    `is_supervised`: if the server ends in the block, start it again (see `supervisor`).

    Raises EmbeddedError. If the process is killed in the block (SIGTERM does so by default), the
    server continues to run.
    """
    data_dir = data_dir.resolve()
    if is_supervised:
        # After a crash PostgreSQL ends, and we start it. Its own restart can hang for good on a full
        # disk (18.6): the recovery fails, and the postmaster ignores that.
        options = {"restart_after_crash": "off", **options}
    with plain_errors(data_dir):
        folders.make_data_dir(data_dir)
        clients = folders.open_file(data_dir / "clients.lock", os.O_RDWR)
    with clients:
        try:
            with plain_errors(data_dir), folders.exclusive(data_dir):
                fcntl.flock(clients, fcntl.LOCK_SH)
                owner = account.server_account()
                cluster.check_owner(data_dir, owner)
                log_file.rotate(data_dir)
                server = process.join(data_dir, tcp_port) or _start(data_dir, owner, tcp_port, options)
                cluster.create_database(server)
            restart = partial(_restart, data_dir, server, options)
            with supervisor.supervised(data_dir, restart) if is_supervised else nullcontext():
                yield server
        finally:
            process.reap()  # another process may hold start.lock until then
            # BlockingIOError: another process still uses the server.
            with plain_errors(data_dir), folders.exclusive(data_dir), suppress(BlockingIOError):
                fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
                process.stop(data_dir)


def preparing(data_dir: Path) -> AbstractContextManager[None]:
    """Let one process at a time migrate the database of `data_dir` and create its first rows."""
    return folders.exclusive(data_dir.resolve(), "prepare.lock", "prepares")


def _start(data_dir: Path, owner: pwd.struct_passwd, tcp_port: int | None, options: Mapping[str, str]) -> Server:
    programs = cluster.usable_programs(data_dir, owner)
    server = Server(folders.make_socket_dir(data_dir, owner), tcp_port or 5432, bool(tcp_port))
    cluster.create(data_dir, programs, owner, sync=options.get("fsync") != "off")
    process.start(data_dir, cluster.command(data_dir, programs, server, options), owner)
    return server


def _restart(data_dir: Path, server: Server, options: Mapping[str, str]) -> None:
    """Start the server of an existing cluster again, at the same address,
    unless another process has done so.
    """
    with plain_errors(data_dir), folders.exclusive(data_dir):
        if process.join(data_dir, None) is None:
            owner = account.server_account()
            programs = cluster.usable_programs(data_dir, owner)
            process.start(data_dir, cluster.command(data_dir, programs, server, options), owner)
