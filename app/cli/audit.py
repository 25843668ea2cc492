"""``leads audit``: seals the audit log, and verifies that it was not changed."""

import json
import re
from pathlib import Path
from typing import TextIO
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app import archive
from app.archive import ArchiveError
from app.archive_check import Event
from app.cli.addresses import call, operator, work_off
from app.cli.output import Group, Mistake, json_option, one, progress, rows
from app.cli.retire import archives_option, checked, compare, drop, identity_option, retire

_PART = 10_000
"""The number of seals that one call verifies: the maximum that the database allows."""
_HEAD = re.compile(r"[1-9][0-9]{0,17}:[0-9a-f]{64}")
"""A head in the format of api.chain_head: a position and a hash."""


@click.group(cls=Group)
def audit() -> None:
    """Seal and verify the audit log, and move old years into archives.

    A seal is a hash of an event and of all earlier events of the same organization.
    A worker seals new events every second.
    """


audit.add_command(retire)
audit.add_command(drop)


@audit.command()
@click.option("--organization", type=click.UUID, metavar="ID", help="Verify only this organization's log.")
@click.option(
    "--head",
    "heads_file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="A file with the heads that leads audit seal --export printed earlier; - reads standard input.",
)
@archives_option("Verify this archive of leads audit retire, instead of the log in the database. It can be repeated.")
@identity_option
@click.option("--offline", is_flag=True, help="With --archive: don't compare it with the database.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    organization: UUID | None,
    heads_file: TextIO | None,
    paths: tuple[Path, ...],
    identity: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Verify the logs, and print the first fault of each. The exit code is 1 if there is a fault.

    With --head, the command also detects that a log was truncated or rewritten from its beginning.
    """
    stored_heads = _read_heads(heads_file) if heads_file else {}
    if paths:
        if identity is None or organization is not None:
            raise Mistake("--archive needs --identity FILE, and excludes --organization.")
        _verify_archives(context, paths, identity, stored_heads, offline=offline, as_json=as_json)
        return
    if identity is not None or offline:
        raise Mistake("--identity and --offline need --archive FILE.")
    with operator() as connection:
        connection.autocommit = True  # a long transaction would keep VACUUM from removing old rows
        if organization is not None:
            call(connection, "admin.known_organization", organization)  # raises PT404
        present = call(connection, "admin.chain_heads", organization)
        ids = [row["organization_id"] for row in present]
        missing = [] if organization else [each for each in stored_heads if each not in ids]
        verdicts = [
            _verify(connection, row["organization_id"], stored_heads.get(row["organization_id"])) for row in present
        ]
    faults = [verdict for verdict in verdicts if not verdict["holds"]]
    rows(
        verdicts,
        ("organization_id", "holds", "verified", "unsealed", "code", "position", "event_id", "detail"),
        as_json,
    )
    if heads_file and (unkept := [str(each) for each in ids if each not in stored_heads]):
        click.echo(
            f"The file has no head of {', '.join(unkept)}. A truncated log of these organizations isn't detected.",
            err=True,
        )
    if missing:
        names = ", ".join(str(each) for each in missing)
        click.echo(f"The heads name organizations that this database doesn't have: {names}.", err=True)
    if faults or missing:
        context.exit(1)


@audit.command()
@click.option("--export", is_flag=True, help="Print the heads of the logs as JSON.")
@click.option("--organization", type=click.UUID, metavar="ID", help="Print only this organization's head.")
@json_option
def seal(export: bool, organization: UUID | None, as_json: bool) -> None:
    """Seal all events that have no seal yet, as a worker does every second.

    Store the output of --export where no administrator of this database can write,
    for leads audit verify --head.
    """
    with operator() as connection:
        connection.autocommit = True
        sealed = work_off(connection, "admin.seal_events", "sealed")
        heads = call(connection, "admin.chain_heads", organization)
    if export:
        click.echo(json.dumps(heads, default=str, indent=2))
    else:
        one({"sealed": sealed}, f"{sealed} events were sealed.", as_json)


def _verify_archives(
    context: click.Context,
    paths: tuple[Path, ...],
    identity: Path,
    heads: dict[UUID, str],
    *,
    offline: bool,
    as_json: bool,
) -> None:
    """Verifies archives by their content, and compares them with the database unless offline."""
    kept = {(str(id), int(head.partition(":")[0])): head.partition(":")[2] for id, head in heads.items()}
    found = set()

    def see(event: Event) -> None:
        place = (event["organization_id"], event["position"])
        if place in kept:
            found.add(place[0])
            if event["hash"] != kept[place]:
                raise ArchiveError(f"The archive of {event['created_at'][:4]} doesn't have the head of {place[0]}.")

    try:
        keys = archive.identities(identity)
    except ArchiveError as error:
        raise Mistake(str(error)) from None
    try:
        contents = [checked(path, keys, see) for path in paths]
        if not offline:
            with operator() as connection:
                compare(connection, contents)
    except ArchiveError as error:
        click.echo(str(error), err=True)
        context.exit(1)
    rows(
        [
            {
                "archive": str(path),
                "year": each.year,
                "holds": True,
                "organizations": len(each.organizations),
                "events": each.events,
                "erased": sum(len(events) for events in each.erased.values()),
            }
            for path, each in zip(paths, contents, strict=True)
        ],
        ("archive", "year", "holds", "organizations", "events", "erased"),
        as_json,
    )
    if elsewhere := [str(id) for id in heads if str(id) not in found]:
        click.echo(f"The archives don't have the positions of the heads of {', '.join(elsewhere)}.", err=True)


def _verify(connection: psycopg.Connection[DictRow], organization: UUID, head: str | None) -> DictRow:
    """Verifies a whole chain. The result has the fault's fields."""
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
        items: list[dict[str, str]] = json.load(file)
        if not isinstance(items, list):
            raise TypeError
        heads = {UUID(row["organization_id"]): row["head"] for row in items if row["head"] is not None}
        if not all(_HEAD.fullmatch(head) for head in heads.values()):
            raise ValueError
        return heads
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Mistake("The file doesn't have the format of leads audit seal --export.") from error
