"""``leads serve``: the API server and, unless DATABASE_URL is set, its database."""

import errno
import os
import resource
import shlex
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import click
import psycopg
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app import embedded, migrations, session, settings, unreleased
from app.cli import demo, metrics, migrate, replicas, secret_file
from app.cli.addresses import Addresses, addresses, call, connect
from app.cli.metrics import Metrics
from app.cli.output import Mistake
from app.server import limits
from app.server.api import PREFIX
from app.server.folder import folder
from app.server.protocol import Protocol
from app.settings import ROOT, Settings

GRACE = 10
"""Seconds that running requests have after the server has stopped to take new ones."""

FILES = 65536
"""The most files that the server allows itself to open."""

_ALLOWED = """
select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
  - case
    when pg_has_role(to_regrole('pg_use_reserved_connections'), 'usage') then 0
    else coalesce(current_setting('reserved_connections', true)::integer, 0)
  end as allowed
"""
"""The connections that the server allows to the current login. PostgreSQL 15 reserves none for
roles.
"""


@click.command()
@click.option("--host", help="The address to listen on. [default: HOST, or 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The port to listen on; 0 takes a free port. [default: PORT, or 8000]"
)
@click.option(
    "--bi-port",
    type=click.IntRange(1, 65535),
    help="The port of 127.0.0.1 on which the embedded PostgreSQL accepts analysts. [default: BI_PORT, or none]",
)
@click.option("--workers", type=click.IntRange(1, 64), help="The number of server processes. [default: WORKERS, or 1]")
@click.option("--no-worker", is_flag=True, help="Run no worker beside the server. [also: LEADS_WORKER=off]")
def serve(host: str | None, port: int | None, bi_port: int | None, workers: int | None, no_worker: bool) -> None:
    """Serve the API until Ctrl-C, SIGTERM or SIGHUP.

    Without DATABASE_URL, the command starts the embedded PostgreSQL, applies the migrations,
    creates a demo organization at the first start, and runs a worker, which pushes leads to CRMs,
    sends events to webhooks and seals the audit log. With DATABASE_URL it only serves: run leads
    migrate and leads worker yourself.

    leads --help lists the variables that change this.
    """
    _allow_many_files()
    configuration = settings.read()
    host = configuration.host if host is None else host
    bi_port = configuration.bi_port if bi_port is None else bi_port
    with (
        _bind(host, configuration.port if port is None else port) as listener,
        metrics.serving(configuration, has_server=True) as shown,
        addresses(bi_port=bi_port, creates=True, is_supervised=True) as urls,
    ):
        if bi_port and not urls.is_embedded:
            raise Mistake(
                "BI_PORT is for the embedded server only. With DATABASE_URL, analysts connect to that server directly."
            )
        if urls.is_embedded and configuration.replica_urls:
            raise Mistake(
                "DATABASE_REPLICA_URL is set, and DATABASE_URL isn't: the embedded server has no replicas. Set "
                "DATABASE_URL to the address of their primary."
            )
        url = urls.of_api()
        key = prepare_embedded(urls, configuration) if urls.is_embedded else None
        workers = configuration.workers if workers is None else workers
        _check(url)
        if configuration.replica_urls:
            replicas.check(url, configuration.replica_urls)
        if configuration.prepared_statements:  # otherwise a pooler has limits of its own
            _check_connections(url, workers, configuration.connections, has_replicas=bool(configuration.replica_urls))
        has_worker = urls.is_embedded and configuration.has_worker and not no_worker
        with _worker(urls, configuration, shown) if has_worker else nullcontext():
            click.echo(_banner(host, listener.getsockname()[1], key, configuration, bi_port, shown))
            with _buckets(workers, configuration):
                _run(listener, url, workers, configuration)


def _allow_many_files() -> None:
    """Raises the limit of open files as far as the system allows it. Each connection needs one, and
    the usual limit of 1,024 is for programs that use select().
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def prepare_embedded(urls: Addresses, configuration: Settings) -> str:
    """Applies the migrations, creates the demo organization, and returns its key,
    which a file keeps for the owner. Waits while another process does so.
    """
    key_file = configuration.data_dir / "demo-key"
    with embedded.preparing(configuration.data_dir):
        try:
            with connect(urls.of_migrate()) as connection:
                is_behind = unreleased.is_pending(connection)
            if is_behind or migrations.pending(urls.of_migrate()):
                migrate.apply(urls.of_migrate())
        except migrations.MigrationError as error:
            raise Mistake(str(error)) from None
        key = key_file.read_text(encoding="utf-8").strip() if key_file.exists() else ""
        if not demo.is_good(urls.of_api(), key):
            key = demo.seed(urls.of_migrate())
            key_file.unlink(missing_ok=True)
            secret_file.write(key_file, key)
    return key


def _worker(urls: Addresses, configuration: Settings, shown: Metrics | None) -> AbstractContextManager[None]:
    # Imported late: the vendors' modules load slowly, and a server with DATABASE_URL doesn't need
    # them.
    from app.cli import worker

    return worker.beside(urls, configuration, shown)


def _check(url: str) -> None:
    """Raises Mistake if the schema is too old, or if the login must not serve."""
    needed = migrations.newest()
    with connect(url, session.SERVER) as connection:
        try:
            version = call(connection, "api.schema_version")[0]["schema_version"]
            # Before 0.9.0 the version counted migrations, not releases.
            if not connection.execute("select 1 where to_regprocedure('api.release_version()') is not null").rowcount:
                version = 0
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
            connection.rollback()
            version = 0
        except psycopg.errors.InsufficientPrivilege:
            login = connection.info.user
            raise Mistake(
                f'The login "{login}" may not execute the API\'s functions. Use the login leads_api.'
            ) from None
        if version < needed:
            raise Mistake(
                f"The database's schema is at version {version}, and this release needs {needed}. With "
                "LEADS_MIGRATE_URL set, run: leads migrate"
            )
        try:
            if unreleased.is_pending(connection):
                raise Mistake(
                    "This checkout has changes in sql/ or migrations/next.sql that the database lacks. With "
                    "LEADS_MIGRATE_URL set, run: leads migrate"
                )
        except migrations.MigrationError as error:
            raise Mistake(str(error)) from None
        faults = [str(row["session_faults"]) for row in call(connection, "api.session_faults")]
    if faults:
        raise Mistake(" ".join(faults) + " Use the login leads_api, which leads migrate creates.")


def _check_connections(url: str, workers: int, connections: int, *, has_replicas: bool) -> None:
    """Raises Mistake if the server processes need more connections than PostgreSQL allows."""
    with connect(url, session.SERVER) as connection:
        allowed = connection.execute(_ALLOWED).fetchall()[0]["allowed"]
    # One more for each process listens for changed routes, and one more reads positions for the replicas.
    more = 2 if has_replicas else 1
    wanted = workers * (connections + more)
    if wanted > allowed:
        raise Mistake(
            f"PostgreSQL allows this login {allowed} connections, and WORKERS={workers} with "
            f"LEADS_CONNECTIONS={connections} needs {wanted}: {connections} + {more} for each server process. Decrease "
            "one of the two, or increase max_connections."
        )


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except socket.gaierror:
        raise Mistake(f"HOST is {host!r}, which is not an address of this machine. Use 127.0.0.1 or 0.0.0.0.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Mistake(
                f"Port {port} on {host} is in use. Stop the program that uses it, or set another port: PORT={port + 1}"
            ) from None
        if error.errno == errno.EACCES:
            raise Mistake(f"This user may not use port {port}. Choose a port from 1024 on: PORT=8000") from None
        raise Mistake(f"The server can't listen on {host}:{port}: {error.strerror}. Change HOST or PORT.") from None


def _banner(
    host: str, port: int, key: str | None, settings: Settings, bi_port: int | None, shown: Metrics | None
) -> str:
    root = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    base = f"{root}{PREFIX}"
    lines = [f"The Leads API is at {base}", f"API reference: {root}/docs"]
    if bi_port:
        lines.append(f"Analysts connect to 127.0.0.1:{bi_port}, database leads. To create a login: leads bi create")
    if shown is not None:
        lines.append(f"Metrics, without a password: {shown.url}")
    if key:
        variables = {"API": base, "KEY": key}
        if settings.data_dir != ROOT / ".data":
            variables["LEADS_DATA_DIR"] = str(settings.data_dir)
        lines += [
            "",
            "To list two leads of the demo organization:",
            f"  curl -s -H 'Authorization: Bearer {key}' '{base}/leads?limit=2'",
            "",
            "To follow the tour in README.md, paste this line into a second terminal:",
            "  export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()),
            "",
            "Press Ctrl-C to stop the API and PostgreSQL. Each request is logged below as one line of JSON.",
        ]
    return "\n".join(lines)


@contextmanager
def _buckets(workers: int, configuration: Settings) -> Iterator[None]:
    """Lets the server processes share the buckets of the rate limits during the block."""
    os.environ.pop(limits.BUCKETS, None)
    if configuration.rate_limit is None or workers == 1:
        yield
        return
    with folder() as path:
        os.environ[limits.BUCKETS] = str(limits.create(path))
        yield


class _Parent(Multiprocess):
    """The process that starts the server processes, and starts them again when they end."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        # uvicorn would restart the server processes on SIGHUP, even under nohup.
        hangup = signal.getsignal(signal.SIGHUP)
        super().__init__(config, sockets)
        signal.signal(signal.SIGHUP, hangup)

    def join_all(self) -> None:
        """Waits for the server processes. uvicorn would ignore further signals meanwhile."""
        while any(process.exitcode is None for process in self.processes):
            time.sleep(0.1)
            signals, self.signal_queue = self.signal_queue, []
            if not {signal.SIGINT, signal.SIGTERM}.isdisjoint(signals):
                # A second SIGTERM ends the drain time. SIGINT is not passed on: if the terminal has
                # sent it to all processes, a second one would end running requests.
                self.terminate_all()


def _run(listener: socket.socket, url: str, workers: int, configuration: Settings) -> None:
    # For the server processes, which read their settings again.
    os.environ["DATABASE_URL"] = url
    config = uvicorn.Config(
        "app.server.application:from_environment",
        factory=True,
        workers=workers,
        http=Protocol,
        # Otherwise a request for a WebSocket would leave Protocol if a library for them is installed.
        ws="none",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        headers=[("X-Content-Type-Options", "nosniff")],
        lifespan="on",
        timeout_keep_alive=configuration.keep_alive_seconds,
        timeout_graceful_shutdown=GRACE,
    )
    try:
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listener])
        else:
            parent = _Parent(config, sockets=[listener])
            parent.run()
            # uvicorn stops everything if a server process ends with this code, and returns.
            if any(process.exitcode == STARTUP_FAILURE for process in parent.processes):
                sys.exit(STARTUP_FAILURE)
    except (KeyboardInterrupt, SystemExit) as end:
        # uvicorn has finished the running requests, and now passes on the signal.
        if isinstance(end, SystemExit) and end.code not in (0, 143):
            raise
