"""``leads export``: writes an organization's leads or audit log to a file, or to standard output."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow
from rich.progress import SpinnerColumn, TextColumn

from app.cli import instants
from app.cli.addresses import operator
from app.cli.output import Mistake, progress

_FUNCTIONS = {"leads": "admin.export_leads", "audit-log": "admin.export_audit_events"}
_ONLY = {
    "pipeline_stage": "leads",
    "email": "leads",
    "phone": "leads",
    "reference": "leads",
    "action": "audit-log",
    "lead_id": "audit-log",
}
"""The filters that only one of the two has."""


def _instant(_: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    instant = instants.read(value)
    if instant is None:
        raise click.BadParameter("This must be a date such as 2026-04-27, or a date and time with Z.", param=param)
    return instant


@click.command()
@click.argument("what", type=click.Choice(list(_FUNCTIONS)))
@click.option("--organization", type=click.UUID, required=True, metavar="ID", help="The organization.")
@click.option("--format", type=click.Choice(["ndjson", "csv"]), default="ndjson", show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write this file. It exists under this name when the export is complete.",
)
@click.option("--stage", "pipeline_stage", multiple=True, help="Only leads in this stage; can be repeated.")
@click.option("--source", multiple=True, help="Only rows with this source; can be repeated.")
@click.option("--email", multiple=True, help="Only leads with this address; can be repeated.")
@click.option("--phone", help="Only leads with this phone number, in any spelling.")
@click.option("--reference", help="Only the lead with this reference.")
@click.option("--action", multiple=True, help="Only events with this action; can be repeated.")
@click.option("--lead", "lead_id", type=click.UUID, metavar="ID", help="Only events of this lead.")
@click.option("--start", "start_at", callback=_instant, metavar="TIME", help="Only rows created at this time or later.")
@click.option("--end", "end_at", callback=_instant, metavar="TIME", help="Only rows created before this time.")
def export(what: str, organization: UUID, format: str, output: Path | None, **filters: Any) -> None:
    """Export an organization's leads or its audit log, newest first.

    The last line says that the export is complete. Without it, the export was cut off: repeat it.
    Each page that is read is recorded in the organization's audit log (lead.read).
    """
    given = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in filters.items()
        if value not in (None, ())
    }
    if empty := [name for name, value in given.items() if value == ""]:
        # A script with an unset variable would export everything.
        raise Mistake(f"--{empty[0]} is empty. Give a value, or leave the option out.")
    for name in given:
        if _ONLY.get(name, what) != what:
            raise Mistake(f"There is no such filter for {what}: {name}. It belongs to {_ONLY[name]}.")
    with operator() as connection:
        connection.autocommit = True  # each page is a transaction of its own
        with _destination(output) as write:
            count = _copy(
                connection, _FUNCTIONS[what], {"organization_id": organization, "format": format, **given}, write
            )
    if output is not None:
        noun = "lead" if what == "leads" else "event"
        click.echo(f"Exported {count} {noun}{'' if count == 1 else 's'} to {output}.")


def _copy(
    connection: psycopg.Connection[DictRow], function: str, arguments: dict[str, Any], write: Callable[[bytes], Any]
) -> int:
    """Writes all pages, and returns the number of rows."""
    arguments = {**arguments, "cursor": None}
    names = ", ".join(f"{name} => %({name})s" for name in arguments)
    with progress(SpinnerColumn(), TextColumn("{task.completed:.0f} rows")) as bar:
        task = bar.add_task("exporting", total=None)
        while True:
            try:
                [page] = connection.execute(f"select * from {function}({names})".encode(), arguments).fetchall()
            except psycopg.Error as error:
                if error.sqlstate != "PT422":
                    raise
                faults = json.loads(error.diag.message_detail or "[]")
                raise Mistake(" ".join(fault["detail"] for fault in faults)) from None
            write(page["body"].encode())
            bar.update(task, completed=page["row_count"])
            arguments["cursor"] = page["next_cursor"]
            if arguments["cursor"] is None:
                return int(page["row_count"])


@contextmanager
def _destination(output: Path | None) -> Iterator[Callable[[bytes], Any]]:
    """A function that writes. The file gets its name at the end of the block, if nothing failed."""
    if output is None:
        yield sys.stdout.buffer.write
        sys.stdout.flush()
        return
    output = output.resolve()  # a link stays a link
    if not output.parent.is_dir():
        raise Mistake(f"There is no folder {output.parent}. Create it first.")
    if output.exists() and not output.is_file():
        raise Mistake(f"{output} is not a file. Leave --output out, to write to standard output.")
    # Only its owner can read it, because it contains personal data.
    try:
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=".export-", suffix=".part")
    except OSError as error:
        raise Mistake(f"No file can be created in {output.parent}: {error.strerror}.") from None
    with open(handle, "wb") as part:
        try:
            yield part.write
            part.flush()
            os.fsync(part.fileno())
            try:
                Path(name).replace(output)
            except OSError as error:
                raise Mistake(f"{output} can't be written: {error.strerror}.") from None
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
