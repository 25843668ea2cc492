"""The command line ``leads``. Each command has a module."""

import importlib
import io
import signal
import sys
from types import FrameType

import click

from app.cli.output import Group, plain_errors

_COMMANDS = (
    "serve",
    "demo",
    "migrate",
    "organizations",
    "keys",
    "forms",
    "webhooks",
    "scoring",
    "import",
    "crm",
    "worker",
    "bi",
    "psql",
    "audit",
    "export",
    "erase",
    "mcp",
    "doctor",
    "cells",
)
_MODULES = {"psql": "bi", "import": "import_leads"}
_FUNCTIONS = {"import": "import_leads"}


class _Commands(Group):
    """Imports a command's module only when the command runs, which halves the start-up time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"app.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, _FUNCTIONS.get(cmd_name, cmd_name))
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="leads-api", prog_name="leads")
def leads() -> None:
    """Serve the Leads API, and administer its database.

    Without an address of a database, every command uses the embedded PostgreSQL in LEADS_DATA_DIR
    (default: .data), and starts it if it isn't running. To use your own PostgreSQL, set these
    variables to libpq connection strings:

    \b
    DATABASE_URL        login leads_api       serve
    DATABASE_REPLICA_URL                      its replicas: addresses with blanks between them
    LEADS_MIGRATE_URL   your migrating login  migrate, doctor, bi, psql, demo, audit retire, audit drop,
                                              organizations delete-moved
    LEADS_OPERATOR_URL  login leads_operator  organizations, keys, forms, webhooks, scoring, import, crm, audit, erase,
                                              export, and doctor without LEADS_MIGRATE_URL
    LEADS_WORKER_URL    login leads_worker    worker
    LEADS_ROUTER_URL    login leads_router    migrate --set-passwords, in a cell. cells sync finds its addresses in the
                                              directory of the cells

    The password of an address may be in a file, such as a container's secret:
    DATABASE_PASSWORD_FILE, DATABASE_REPLICA_PASSWORD_FILE, LEADS_MIGRATE_PASSWORD_FILE, LEADS_OPERATOR_PASSWORD_FILE,
    LEADS_WORKER_PASSWORD_FILE or LEADS_ROUTER_PASSWORD_FILE names it.

    \b
    Other variables:
    HOST, PORT, WORKERS, BI_PORT  the defaults of the options of leads serve
    LEADS_DATA_DIR                the folder of the embedded PostgreSQL and its keys (default: .data)
    LEADS_PG_BIN                  the folder of PostgreSQL's programs (default: those of the wheel)
    LEADS_CONNECTIONS             connections to PostgreSQL for each server process (default: 8)
    LEADS_QUEUE                   requests that may wait for a connection (default: 256)
    LEADS_PREPARED_STATEMENTS     on, or off behind a pooler such as PgBouncer (default: on)
    LEADS_REPLICA_LAG             seconds by which a replica that answers may be behind (default: 5)
    LEADS_REPLICA_ADMIN_KEYS      on, or off: no request with an admin key goes to a replica (default: on)
    LEADS_DRAIN_SECONDS           after SIGTERM, how long requests are still taken (default: 0)
    LEADS_KEEP_ALIVE_SECONDS      when an idle connection is closed (default: 75)
    LEADS_SERVER_TIMING           on, or off: responses have no Server-Timing (default: on)
    OTEL_EXPORTER_OTLP_ENDPOINT   a receiver of OpenTelemetry's traces; needs the extra otel
    LEADS_CORS_ORIGINS            origins of web pages that may call the API, separated by commas
    LEADS_RATE_LIMIT              requests per minute of each key and form, such as 60 (default: no limit)
    LEADS_RATE_BURST              requests that each may send at once (default: twice the limit)
    LEADS_TRUSTED_PROXIES         proxies whose X-Forwarded-For counts: addresses or networks, with commas
    LEADS_API_URL                 the API's address for leads mcp (default: http://127.0.0.1:8000)
    LEADS_API_KEY                 the key of leads mcp; LEADS_API_KEY_FILE names a file with it
    LEADS_CELLS_DIR               the directory of the cells (default: .data/cells)
    LEADS_CELL                    the cell in which the operator's commands work (default: the organization's)
    LEADS_ROUTER_SOCKET           the sockets of the routers, or the addresses of their databases, with blanks
    LEADS_METRICS                 host:port: where leads serve and leads worker show metrics (default: none)
    LEADS_WORKER                  on, or off: leads serve runs no worker (default: on)
    LEADS_CRM_KEY                 the key of the CRM credentials; needed with your own PostgreSQL
    LEADS_CRM_KEY_FILE            a file with that key
    LEADS_ALLOW_LOOPBACK_VENDORS  1: a CRM's address may be on this machine, for tests (default: 0)

    Exit codes: 0 success; 1 the command found something wrong;
    2 a mistake, which standard error explains; 130 Ctrl-C.
    """


def main() -> None:
    """Runs the command line. A mistake prints one sentence and exits with code 2."""
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks is printed as its code point.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # On SIGTERM the context managers run, which stop the embedded server.
    signal.signal(signal.SIGTERM, _exit)
    # The terminal is closed. nohup ignores it.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    with plain_errors():
        # Without standalone mode, click returns an exit code, or the command's result,
        # which is None.
        sys.exit(leads(standalone_mode=False))


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
