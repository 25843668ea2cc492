"""``leads``: what operators live in. A module for each noun."""

import importlib
import signal
import sys
from types import FrameType

import click

from app.cli.output import plain_errors

_COMMANDS = (
    "serve",
    "demo",
    "migrate",
    "organizations",
    "keys",
    "scoring",
    "crm",
    "worker",
    "bi",
    "psql",
    "audit",
    "erase",
    "doctor",
)
_MODULES = {"psql": "bi"}


class _Commands(click.Group):
    """Imports a command's module when it is asked for: a start takes half the time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"app.cli.{_MODULES.get(cmd_name, cmd_name)}"), cmd_name
        )
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="leads-api", prog_name="leads")
def leads() -> None:
    """The Leads API: serve it, and look after its database.

    Without addresses, each command uses the embedded PostgreSQL in LEADS_DATA_DIR (.data), and starts it where it
    isn't running. For a PostgreSQL of your own there are four, one login each: DATABASE_URL for serve,
    LEADS_MIGRATE_URL for migrate, doctor, bi and psql, LEADS_OPERATOR_URL for organizations, keys, scoring, crm,
    audit, erase and demo, and LEADS_WORKER_URL for worker.
    """


def main() -> None:
    """Runs the command line. A mistake is a plain sentence and exit code 2."""
    # SIGTERM ends the program in order: the embedded server is stopped on the way out.
    signal.signal(signal.SIGTERM, _exit)
    with plain_errors():
        # Without its standalone mode click gives an exit code back, or what the command returned: nothing.
        sys.exit(leads(standalone_mode=False))


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
