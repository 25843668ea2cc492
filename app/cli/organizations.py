"""``leads organizations``: organizations and their pipeline stages."""

import importlib
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app.cli.addresses import call, operator
from app.cli.output import Group, json_option, one, progress, rows

_BATCH = 1000
_SETTINGS = ("country_code", "accepts_name_and_phone", "keep_audit_years", "time_zone")


_MOVES = {"move": "move", "delete-moved": "delete_moved"}
"""The commands of app/cli/move.py, which is imported only when one of them runs."""


class _Commands(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_MOVES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if name := _MOVES.get(cmd_name):
            command: click.Command = getattr(importlib.import_module("app.cli.move"), name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands)
def organizations() -> None:
    """Create and list organizations, edit their pipeline stages, and move them between cells."""


@organizations.command()
@click.argument("name")
@click.option("--test", is_flag=True, help="Create a test organization. Its pushes to a CRM are simulated.")
@click.option("--cell", metavar="NAME", help="The cell in which it is created. [default: that in LEADS_CELL]")
@json_option
def create(name: str, test: bool, cell: str | None, as_json: bool) -> None:
    """Create the organization NAME, and print its id."""
    environment = "test" if test else "live"
    with operator(cell) as connection:
        id = call(connection, "admin.create_organization", name, environment)[0]["create_organization"]
    one({"id": id, "name": name, "environment": environment}, f"{id}", as_json)


@organizations.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the organizations, oldest first."""
    with operator() as connection:
        organizations = call(connection, "admin.organizations")
    names = ("id", "name", "environment", "created_at", "erased_at", *_SETTINGS)
    rows(organizations, names, as_json)


@organizations.command("set")
@click.argument("id", type=click.UUID)
@click.option(
    "--accept-name-and-phone/--no-accept-name-and-phone",
    default=None,
    help="Whether a lead may have a name and a phone number as its only contact data.",
)
@click.option(
    "--country-code", metavar="DIGITS", help='The calling code of phone numbers without one, such as 1 or 44; "": none.'
)
@click.option(
    "--keep-audit-years",
    type=click.IntRange(0, 100),
    metavar="N",
    help="For how many years leads audit retire leaves the events in the log, 7 to 100; 0: the default.",
)
@click.option(
    "--time-zone", metavar="NAME", help="The time zone of the days in the analysts' views, such as Europe/Berlin."
)
@json_option
def set_(
    id: UUID,
    accept_name_and_phone: bool | None,
    country_code: str | None,
    keep_audit_years: int | None,
    time_zone: str | None,
    as_json: bool,
) -> None:
    """Change the settings of the organization ID, and print them.

    Leads that already have a name and a phone number as their only contact data stay valid. A new
    country code completes the phone numbers of all leads of the organization. Leads of an import
    that was running are not among them: run the command again. After a change of the time zone,
    the worker counts the days of bi.pipeline_daily again, some hundred thousand stays per second;
    the view shows the old days until then.
    """
    with operator() as connection:
        call(connection, "admin.set_organization", id, accept_name_and_phone, country_code, keep_audit_years, time_zone)
        if country_code is not None:
            _fill_phone_keys(connection, id)
        settings = call(connection, "admin.organization", id)
    rows(settings, ("organization_id", *_SETTINGS), as_json)


@organizations.command()
@click.argument("id", type=click.UUID)
@click.option("--add", metavar="NAME", help="Add a stage after the others.")
@click.option("--remove", metavar="NAME", help="Remove a stage that has no leads.")
@json_option
def stages(id: UUID, add: str | None, remove: str | None, as_json: bool) -> None:
    """Print the pipeline stages of the organization ID, after a stage was added or removed."""
    with operator() as connection:
        if add is not None:
            call(connection, "admin.add_stage", id, add)
        if remove is not None:
            call(connection, "admin.remove_stage", id, remove)
        stages = call(connection, "admin.stages", id)
    rows(stages, ("position", "name"), as_json)


def _fill_phone_keys(connection: psycopg.Connection[DictRow], id: UUID) -> None:
    """Completes the phone numbers of the organization's leads, in batches."""
    connection.commit()
    leads, after = 0, None
    with progress() as bar:
        task = bar.add_task("completing phone numbers", total=None)
        while True:
            part = call(connection, "admin.fill_phone_keys", id, after, _BATCH)[0]
            connection.commit()
            after, leads = part["last_id"], leads + part["leads"]
            bar.update(task, description=f"{leads} phone numbers")
            if after is None:
                return
