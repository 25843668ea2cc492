"""``leads audit``: seals the audit log, and verifies that nobody has changed it."""

import json
import re
from typing import TextIO
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app.cli.addresses import call, operator
from app.cli.output import Mistake, json_option, one, progress, rows

_BATCH = 1000
_PART = 10_000
"""Seals that are verified at once: the most that the database takes."""
_HEAD = re.compile(r"[1-9][0-9]{0,17}:[0-9a-f]{64}")
"""A head, as api.chain_head has it: a position and a hash."""


@click.group()
def audit() -> None:
    """Seal the audit log, and verify that nobody has changed it.

    Each event is sealed by a hash over itself and all events of its organization before it. A worker does so each
    second.
    """


@audit.command()
@click.option("--organization", type=click.UUID, metavar="ID", help="Only this organization's log.")
@click.option(
    "--head",
    "heads_file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="The heads that leads audit seal --export printed earlier; - for standard input.",
)
@json_option
@click.pass_context
def verify(context: click.Context, organization: UUID | None, heads_file: TextIO | None, as_json: bool) -> None:
    """Verify the logs, and name the first event of each that doesn't hold: then the exit code is 1.

    With --head, a log that was cut off, or made anew from its beginning, is found out too.
    """
    kept = _read_heads(heads_file) if heads_file else {}
    with operator() as connection:
        connection.autocommit = True  # each part is a transaction of its own: a long one keeps VACUUM from its work
        if organization is not None:
            call(connection, "admin.known_organization", organization)  # says so where there is none
        present = call(connection, "admin.chain_heads", organization)
        known = [row["organization_id"] for row in present]
        missing = [] if organization else [each for each in kept if each not in known]
        verdicts = [_verify(connection, row["organization_id"], kept.get(row["organization_id"])) for row in present]
    faults = [verdict for verdict in verdicts if not verdict["holds"]]
    rows(
        verdicts,
        ("organization_id", "holds", "verified", "unsealed", "code", "position", "event_id", "detail"),
        as_json,
    )
    if heads_file and (unkept := [str(each) for each in known if each not in kept]):
        click.echo(f"The file has no head of {', '.join(unkept)}: a log that was cut off isn't found out.", err=True)
    if missing:
        gone = ", ".join(str(each) for each in missing)
        click.echo(f"The heads name organizations that this database doesn't have: {gone}.", err=True)
    if faults or missing:
        context.exit(1)


@audit.command()
@click.option("--export", is_flag=True, help="Print the heads, as JSON, to be kept elsewhere.")
@click.option("--organization", type=click.UUID, metavar="ID", help="Only this organization's head.")
@json_option
def seal(export: bool, organization: UUID | None, as_json: bool) -> None:
    """Seal now what a worker would seal within a second, of all organizations.

    Keep what --export prints where no administrator of this database can write: leads audit verify --head takes it.
    """
    sealed = 0
    with operator() as connection:
        connection.autocommit = True
        after = None
        while found := call(connection, "admin.seal_events", after, _BATCH):
            sealed += found[0]["sealed"]
            # Less than a batch: the organization has no more. It is asked again otherwise, by the one before it.
            after = found[0]["organization_id"] if found[0]["sealed"] < _BATCH else after
        heads = call(connection, "admin.chain_heads", organization)
    if export:
        click.echo(json.dumps(heads, default=str, indent=2))
    else:
        one({"sealed": sealed}, f"{sealed} events were sealed.", as_json)


def _verify(connection: psycopg.Connection[DictRow], organization: UUID, head: str | None) -> DictRow:
    """The verdict over a whole chain, its fault in the same row."""
    after, verified = 0, 0
    with progress() as bar:
        task = bar.add_task(str(organization), total=None)
        while True:
            row = call(connection, "admin.verify_chain", organization, after, _PART, head)[0]
            verified = row["verified_to"]
            bar.update(task, completed=verified, description=f"{organization} {verified}")
            head = None
            if not row["holds"] or row["next_after"] is None:
                break
            after = int(row["next_after"])
    return {"organization_id": organization, **row, "verified": verified if row["holds"] else None}


def _read_heads(file: TextIO) -> dict[UUID, str]:
    try:
        found: list[dict[str, str]] = json.load(file)
        if not isinstance(found, list):
            raise TypeError
        heads = {UUID(row["organization_id"]): row["head"] for row in found if row["head"] is not None}
        if not all(_HEAD.fullmatch(head) for head in heads.values()):
            raise ValueError
        return heads
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Mistake("That is no file of heads: give it as leads audit seal --export printed it.") from error
