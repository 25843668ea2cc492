"""``leads serve``: the API, and, unless DATABASE_URL is set, the database that it serves."""

import errno
import os
import shlex
import socket
from contextlib import AbstractContextManager, nullcontext

import click
import psycopg
import uvicorn
from uvicorn.supervisors import Multiprocess

from app import migrations, session, settings, unreleased
from app.cli import demo, migrate, secret_file
from app.cli.addresses import Addresses, addresses, call, connect
from app.cli.output import Mistake
from app.server.api import PREFIX
from app.server.protocol import Protocol
from app.settings import ROOT, Settings


@click.command()
@click.option("--host", help="The address to listen on. [default: HOST, or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0: any that is free. [default: PORT, or 8000]")
@click.option(
    "--bi-port",
    type=click.IntRange(1, 65535),
    help="The embedded PostgreSQL takes analysts on this port of 127.0.0.1. [default: BI_PORT, or none]",
)
@click.option("--workers", type=click.IntRange(1, 64), help="Server processes. [default: WORKERS, or 1]")
@click.option("--no-worker", is_flag=True, help="Push nothing to CRMs, and seal nothing. [the same: LEADS_WORKER=off]")
def serve(host: str | None, port: int | None, bi_port: int | None, workers: int | None, no_worker: bool) -> None:
    """Serve the API until Ctrl-C.

    Without DATABASE_URL the embedded PostgreSQL is started, migrated and, the first time, given a demo organization; a
    CRM worker runs beside the server. With it nothing is started, migrated or seeded: see leads worker.
    """
    given = settings.read()
    host = given.host if host is None else host
    bi_port = given.bi_port if bi_port is None else bi_port
    with _bind(host, given.port if port is None else port) as listener, addresses(bi_port=bi_port) as found:
        if bi_port and not found.is_embedded:
            raise Mistake("BI_PORT is the embedded server's: with DATABASE_URL analysts connect to that server itself.")
        url = found.of_api()
        key = _prepare_embedded(found, given) if found.is_embedded else None
        _check(url)
        click.echo(_banner(host, listener.getsockname()[1], key, given, bi_port))
        has_worker = found.is_embedded and given.has_worker and not no_worker
        with _worker(found, given) if has_worker else nullcontext():
            _run(listener, url, given.workers if workers is None else workers)


def _prepare_embedded(found: Addresses, given: Settings) -> str:
    """Migrates and seeds; gives the demo key, which the data folder keeps, readable by its owner only."""
    try:
        with connect(found.of_migrate()) as connection:
            is_behind = unreleased.is_pending(connection)
        if is_behind or migrations.pending(found.of_migrate()):
            migrate.apply(found.of_migrate())
    except migrations.MigrationError as error:
        raise Mistake(str(error)) from None
    kept = given.data_dir / "demo-key"
    key = kept.read_text().strip() if kept.exists() else ""
    if not demo.is_good(found.of_api(), key):
        key = demo.seed(found.of_operator())
        kept.unlink(missing_ok=True)
        secret_file.write(kept, key)
    return key


def _worker(found: Addresses, given: Settings) -> AbstractContextManager[None]:
    # Imported here: what calls vendors takes a while to load, and who serves another database has no use for it.
    from app.cli import worker

    return worker.beside(found, given)


def _check(url: str) -> None:
    """Raises Mistake for a schema that is behind, and for a login that must not serve."""
    needed = migrations.newest()
    with connect(session.address(url)) as connection:
        try:
            version = call(connection, "api.schema_version")[0]["schema_version"]
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
            connection.rollback()
            version = 0
        except psycopg.errors.InsufficientPrivilege:
            login = connection.info.user
            raise Mistake(f'The login "{login}" may not call the API\'s functions. Serve as leads_api.') from None
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
        raise Mistake(" ".join(faults) + " Serve as leads_api, which leads migrate makes.")


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except socket.gaierror:
        raise Mistake(f"HOST is {host!r}, which is no address of this machine. Take 127.0.0.1 or 0.0.0.0.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Mistake(
                f"Port {port} on {host} is taken. Stop the program that has it, or choose another: PORT={port + 1}"
            ) from None
        if error.errno == errno.EACCES:
            raise Mistake(f"Port {port} is not for this user. Choose one from 1024 on: PORT=8000") from None
        raise Mistake(f"{host}:{port} can't be listened on: {error.strerror}. Set HOST and PORT anew.") from None


def _banner(host: str, port: int, key: str | None, settings: Settings, bi_port: int | None) -> str:
    root = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    base = f"{root}{PREFIX}"
    lines = [f"The Leads API is at {base}", f"API reference: {root}/docs"]
    if bi_port:
        lines.append(f"Analysts connect to 127.0.0.1:{bi_port}, database leads. To create a login: leads bi create")
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


def _run(listener: socket.socket, url: str, workers: int) -> None:
    # For the server processes, which read their settings anew.
    os.environ["DATABASE_URL"] = url
    config = uvicorn.Config(
        "app.server.application:from_environment",
        factory=True,
        workers=workers,
        http=Protocol,
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=10,
    )
    try:
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listener])
        else:
            Multiprocess(config, sockets=[listener]).run()
    except (KeyboardInterrupt, SystemExit) as end:
        # uvicorn has finished what was under way, and now passes the signal on.
        if isinstance(end, SystemExit) and end.code not in (0, 143):
            raise
