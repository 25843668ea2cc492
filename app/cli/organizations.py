"""``leads organizations``: tenants and their pipeline stages."""

from uuid import UUID

import click

from app.cli.addresses import call, operator
from app.cli.output import json_option, one, rows


@click.group()
def organizations() -> None:
    """Make and list organizations, and edit their pipeline stages."""


@organizations.command()
@click.argument("name")
@click.option("--test", is_flag=True, help="A test organization: it never causes a call to the outside.")
@json_option
def create(name: str, test: bool, as_json: bool) -> None:
    """Make an organization, and print its id."""
    environment = "test" if test else "live"
    with operator() as connection:
        id = call(connection, "admin.create_organization", name, environment)[0]["create_organization"]
    one({"id": id, "name": name, "environment": environment}, f"{id}", as_json)


@organizations.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the organizations, the oldest first."""
    with operator() as connection:
        found = call(connection, "admin.organizations")
    rows(found, ("id", "name", "environment", "created_at", "erased_at"), as_json)


@organizations.command()
@click.argument("id", type=click.UUID)
@click.option("--add", metavar="NAME", help="Add a stage behind the others.")
@click.option("--remove", metavar="NAME", help="Remove a stage that no lead stands in.")
@json_option
def stages(id: UUID, add: str | None, remove: str | None, as_json: bool) -> None:
    """Show the pipeline stages of the organization ID, after adding or removing one."""
    with operator() as connection:
        if add is not None:
            call(connection, "admin.add_stage", id, add)
        if remove is not None:
            call(connection, "admin.remove_stage", id, remove)
        found = call(connection, "admin.stages", id)
    rows(found, ("position", "name"), as_json)
