"""``leads webhooks``: the addresses to which the events of organizations are sent.

A secret is made here, printed once, and stored sealed to the public key of the workers.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app import sealing
from app.cli.addresses import call, call_with_settings, operator
from app.cli.keys import Duration
from app.cli.output import Group, Mistake, json_option, one, rows

_INCLUDE = ("ids", "values")
_STATES = ("enabled", "disabled")
_DELIVERY_STATES = ("pending", "delivered", "failed", "skipped", "simulated")


def _settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options for the settings that can be changed later."""
    options = (
        click.option("--name", help="A name that says what the webhook is for."),
        click.option(
            "--action",
            "actions",
            multiple=True,
            metavar="ACTION",
            help="An action whose events are sent, such as lead.created. Repeat the option for each. "
            "A new webhook sends all actions.",
        ),
        click.option(
            "--include",
            type=click.Choice(_INCLUDE),
            help="The content of a message: the ids and the names of the changed fields, or also the values, which are "
            "personal data. A new webhook sends ids.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=Group)
def webhooks() -> None:
    """Create, list, change and delete webhooks, and rotate their secrets.

    A webhook is an address to which the events of an organization's audit log are sent, signed.
    """


@webhooks.command()
@click.argument("url")
@click.option("--organization", required=True, type=click.UUID, metavar="ID", help="The organization of the events.")
@_settings
@json_option
def create(url: str, organization: UUID, as_json: bool, **options: Any) -> None:
    """Create a webhook that sends to URL, and print its secret. The secret can't be shown again."""
    settings = {"url": url, **_chosen(options)}
    with operator() as connection:
        secret, *sealed = _new_secret(connection)
        webhook = call_with_settings(connection, "admin.create_webhook", organization, json.dumps(settings), *sealed)[0]
    one({**webhook, "secret": secret}, secret, as_json)


@webhooks.command("list")
@click.option("--organization", type=click.UUID, metavar="ID", help="List only this organization's webhooks.")
@json_option
def list_(organization: UUID | None, as_json: bool) -> None:
    """List the webhooks, oldest first. Their secrets can't be shown."""
    with operator() as connection:
        if organization is not None:
            call(connection, "admin.organization", organization)
        webhooks = call(connection, "admin.webhooks", organization)
    columns = (
        "id",
        "organization_id",
        "name",
        "url",
        "include",
        "state",
        "disabled_reason",
        "failing_since",
        "created_at",
    )
    rows(webhooks, columns, as_json)


@webhooks.command("set")
@click.argument("id", type=click.UUID)
@click.option("--url", help="The address.")
@_settings
@click.option("--all-actions", is_flag=True, help="Send the events of all actions.")
@click.option(
    "--state",
    type=click.Choice(_STATES),
    help="Whether the webhook sends. When it is enabled again, it gets the events that it missed.",
)
@click.option("--skip-missed", is_flag=True, help="Skip the events that have not been delivered yet.")
@json_option
def set_(id: UUID, all_actions: bool, skip_missed: bool, as_json: bool, **options: Any) -> None:
    """Change settings of the webhook ID, or disable or enable it. An empty name removes the name.

    An enabled webhook gets everything that it missed while it was disabled, unless you skip it.
    """
    settings: dict[str, Any] = _chosen(options)
    if settings.get("name") == "":
        settings["name"] = None
    if all_actions:
        if "actions" in settings:
            raise Mistake("Use --action or --all-actions, not both.")
        settings["actions"] = None
    if skip_missed:
        settings["skip_missed"] = True
    if not settings:
        raise Mistake("Nothing to change. Name a setting: leads webhooks set --help")
    with operator() as connection:
        webhook = call_with_settings(connection, "admin.set_webhook", id, json.dumps(settings))[0]
    one(webhook, f"The webhook {id} is changed.", as_json)


@webhooks.command("rotate-secret")
@click.argument("id", type=click.UUID)
@click.option(
    "--overlap",
    type=Duration(),
    default="24h",
    show_default=True,
    help="For how long the previous secret signs, too, at most 168h.",
)
@json_option
def rotate_secret(id: UUID, overlap: timedelta, as_json: bool) -> None:
    """Replace the secret of the webhook ID, and print the new one. It can't be shown again.

    Until the overlap ends, each message has a signature of each of the two secrets.
    """
    with operator() as connection:
        secret, *sealed = _new_secret(connection)
        webhook = call(connection, "admin.rotate_webhook_secret", id, *sealed, overlap)[0]
    one({**webhook, "secret": secret}, secret, as_json)


@webhooks.command()
@click.argument("id", type=click.UUID)
@json_option
def delete(id: UUID, as_json: bool) -> None:
    """Delete the webhook ID with its secret and its deliveries. Nothing more is sent to it."""
    with operator() as connection:
        call(connection, "admin.delete_webhook", id)
    one({"id": id, "state": "deleted"}, f"The webhook {id} is deleted.", as_json)


@webhooks.command()
@click.argument("id", type=click.UUID)
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_DELIVERY_STATES), help="Only these. [default: all]"
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The number of deliveries.")
@json_option
def deliveries(id: UUID, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the deliveries of the webhook ID, newest first."""
    with operator() as connection:
        deliveries = call(connection, "admin.webhook_deliveries", id, list(states) or None, limit)
    columns = ("id", "action", "lead_id", "state", "attempts", "http_status", "message", "created_at")
    rows(deliveries, columns, as_json)


@webhooks.command()
@click.argument("id", type=click.UUID)
@click.argument("delivery", type=click.UUID)
@json_option
def redeliver(id: UUID, delivery: UUID, as_json: bool) -> None:
    """Send the delivery DELIVERY of the webhook ID again. A worker sends it next, with the same message id."""
    with operator() as connection:
        queued = call(connection, "admin.redeliver_webhook", id, delivery)[0]
    one(queued, f"The delivery {delivery} is {queued['state']}.", as_json)


@webhooks.command()
@click.argument("id", type=click.UUID)
@json_option
def test(id: UUID, as_json: bool) -> None:
    """Send a test to the webhook ID. A worker sends it next, once: leads webhooks deliveries ID shows the result."""
    with operator() as connection:
        queued = call(connection, "admin.test_webhook", id)[0]
    one(queued, f"The test {queued['id']} is {queued['state']}.", as_json)


def _new_secret(connection: psycopg.Connection[DictRow]) -> tuple[str, bytes, str]:
    """A new secret, the secret sealed to the workers' public key, and the id of that key."""
    key = call(connection, "admin.sealing_key")[0]
    secret = sealing.new_secret()
    return secret, sealing.seal(secret, key["public_key"]), key["id"]


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The settings of the options that were given."""
    return {name: value for name, value in options.items() if value not in (None, ())}
