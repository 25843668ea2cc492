"""``leads import``: stores the leads of a file, and goes on after a crash where it ended.

The file is read in batches. Each batch is one transaction: COPY, the function that stores the rows
and counts them, and COMMIT. So a crash loses a batch that is not committed, and the next run begins
with it. The database knows the file by its SHA-256.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from app import csv_rows, session
from app.cli.addresses import addresses, call, connect
from app.cli.output import Mistake, json_option, one, progress

BATCH = 5_000
"""Rows of a transaction."""
_SUFFIXES = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json"}
_PIECE = 1024 * 1024
_SPACE = " \t\r\n"


@dataclass(frozen=True)
class _Options:
    organization: UUID
    is_csv: bool
    match: str
    on_duplicate: str
    push: bool
    events: bool


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--organization", type=click.UUID, metavar="ID", required=True, help="The organization of the leads.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["csv", "ndjson", "json"]),
    help="The format of the file.  [default: by its name: .csv, .ndjson, .jsonl or .json]",
)
@click.option(
    "--on-duplicate",
    type=click.Choice(["error", "skip", "update"]),
    default="error",
    show_default=True,
    help="What happens to a row whose lead exists: it fails, is left out, or changes the lead.",
)
@click.option(
    "--match",
    type=click.Choice(["reference", "email", "phone"]),
    default="reference",
    show_default=True,
    help="The field by which a row finds the lead that exists.",
)
@click.option("--push", is_flag=True, help="Push leads that are in the push_stage of the CRM connection.")
@click.option("--events", is_flag=True, help="Send the events of these rows to webhooks.")
@click.option("--dry-run", is_flag=True, help="Store nothing, and print what would happen.")
@click.option("--again", is_flag=True, help="Import a file that was imported to its end before.")
@click.option(
    "--errors",
    "errors_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rows that fail to this file, as NDJSON: their position and their errors.",
)
@json_option
def import_leads(
    path: Path,
    organization: UUID,
    format: str | None,
    on_duplicate: str,
    match: str,
    push: bool,
    events: bool,
    dry_run: bool,
    again: bool,
    errors_path: Path | None,
    as_json: bool,
) -> None:
    """Import leads from a file.

    The rows have the fields of POST /leads, and the same rules; a row can also have created_at, a
    time in the past. Rows that fail are left out. If the command ends early, run it again with the
    same file: it goes on after the last rows that were stored. A file that was imported is not
    imported again, unless you give --again.

    Exit code 1: a row has failed.
    """
    format = format or _SUFFIXES.get(path.suffix.lower())
    if format is None:
        raise Mistake(f"The format of {path} is not known by its name. Give --format csv, ndjson or json.")
    if errors_path is not None and errors_path.exists() and errors_path.samefile(path):
        raise Mistake("--errors names the file that is imported. Give it another name.")
    digest, total = _examine(path, format)
    options = _Options(organization, format == "csv", match, on_duplicate, push, events)
    with addresses() as urls, connect(urls.of_operator(), session.IMPORT) as connection, ExitStack() as stack:
        begun = call(connection, "admin.begin_import", organization, digest, again)[0]
        if begun["is_complete"]:
            raise Mistake(
                f"{path} was imported before: {_counted(begun)}. Nothing was done. To import it again, give --again."
            )
        if not dry_run:
            connection.commit()
        errors = _open_errors(errors_path, begun["rows_done"], stack)
        try:
            sums = _import(connection, path, format, digest, total, options, begun, errors, dry_run=dry_run)
        except psycopg.Error as error:
            if error.sqlstate != "PT422":
                raise
            faults = json.loads(error.diag.message_detail or "[]")
            sentences = (f"{fault['field']}: {fault['detail']}" for fault in faults)
            raise Mistake(f"The header of {path} has errors. {' '.join(sentences)}") from None
        if dry_run:
            connection.rollback()
    word = "Nothing was stored. The file would have" if dry_run else "The file has"
    result = {"rows": total, "is_stored": not dry_run, **{name: sums[name] for name in _SUMS}}
    one(result, f"{word} {total:,} row{'' if total == 1 else 's'}: {_counted(sums)}.", as_json)
    if sums["failed"]:
        raise click.exceptions.Exit(1)


_SUMS = ("created", "updated", "skipped", "failed")


def _import(
    connection: psycopg.Connection[DictRow],
    path: Path,
    format: str,
    digest: bytes,
    total: int,
    options: _Options,
    begun: DictRow,
    errors: io.TextIOBase | None,
    *,
    dry_run: bool,
) -> DictRow:
    sums = begun
    columns = (
        TextColumn("importing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    with progress(*columns) as bar, path.open(encoding="utf-8-sig", newline="") as file:
        task = bar.add_task("importing", total=total, completed=sums["rows_done"], failed=sums["failed"])
        rows = islice(_rows(file, format), sums["rows_done"], None)
        position = sums["rows_done"]
        while batch := list(islice(rows, BATCH)):
            with (
                connection.cursor() as cursor,
                cursor.copy(
                    "copy admin.import_line (organization_id, file_digest, position, fields) from stdin"
                ) as copy,
            ):
                copy.set_types(["uuid", "bytea", "int4", "text"])
                for number, row in enumerate(batch, position + 1):
                    copy.write_row((options.organization, digest, number, row))
            position += len(batch)
            sums = call(
                connection,
                "admin.import_leads",
                options.organization,
                digest,
                options.is_csv,
                options.match,
                options.on_duplicate,
                options.push,
                position == total,
                options.events,
            )[0]
            if errors is not None and sums["failures"]:
                # Before the commit: a crash between the two makes the next run write them again.
                errors.writelines(json.dumps(failure, ensure_ascii=False) + "\n" for failure in sums["failures"])
                errors.flush()
            if not dry_run:
                connection.commit()
            bar.update(task, completed=sums["rows_done"], failed=sums["failed"])
    if position != total:
        raise Mistake(f"{path} was changed while it was imported: {position:,} of {total:,} rows were read.")
    return sums


def _open_errors(path: Path | None, rows_done: int, stack: ExitStack) -> io.TextIOBase | None:
    """The file for the rows that fail. What an earlier run has written about rows that are not done
    is cut off; it is at the end.
    """
    if path is None:
        return None
    kept = 0
    if not rows_done and path.exists() and path.stat().st_size:
        raise Mistake(f"{path} exists already. Remove it, or give --errors another name.")
    if rows_done and path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                is_done = line.endswith(b"\n") and json.loads(line)["row"] <= rows_done
            except (ValueError, KeyError, TypeError):
                is_done = False
            if not is_done:
                break
            kept += len(line)
    try:
        file = stack.enter_context(path.open("a", encoding="utf-8"))
        file.truncate(kept)
    except OSError as error:
        raise Mistake(f"{path} can't be written: {error.strerror}. Nothing was imported.") from None
    return file


def _examine(path: Path, format: str) -> tuple[bytes, int]:
    """The SHA-256 of the file and the number of its rows. Raises Mistake if it can't be read to its
    end, so that no part of it is imported.
    """
    with path.open("rb") as raw:
        digest = hashlib.file_digest(raw, "sha256").digest()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            total = sum(1 for _ in _rows(file, format))
    except UnicodeDecodeError:
        raise Mistake(f"{path} is not UTF-8. Convert it, for example with: iconv -t utf-8") from None
    except csv_rows.CsvError as error:
        raise Mistake(f"{path} can't be read. {error}") from None
    if not total:
        raise Mistake(f"{path} has no rows.")
    return digest, total


def _rows(file: io.TextIOBase, format: str) -> Iterator[str]:
    """The rows as JSON texts, one after the other."""
    if format == "csv":
        return csv_rows.rows(file)
    if format == "ndjson":
        # COPY takes no NUL. Escaped, it is an error of its row.
        return (line.strip(_SPACE).replace("\0", "\\u0000") for line in file if line.strip(_SPACE))
    return _elements(file)


def _elements(file: io.TextIOBase) -> Iterator[str]:
    """The elements of a JSON array, whose text is read piece by piece. Raises Mistake."""
    pieces = iter(lambda: file.read(_PIECE), "")
    text = next(pieces, "").lstrip(_SPACE)
    if not text.startswith("["):
        raise Mistake("The file is not a JSON array. For one object in each line, give --format ndjson.")
    at = 1
    is_first = True
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    for piece in chain(pieces, [None]):
        while True:
            start = _after_space(text, at)
            if start < len(text) and not is_first and text[start] == ",":
                start = _after_space(text, start + 1)
            elif start < len(text) and text[start] == "]":
                if text[start + 1 :].strip(_SPACE) or (piece or "").strip(_SPACE):
                    raise Mistake("The file has text after the end of the JSON array. Remove it.")
                return
            elif not is_first and start < len(text):
                raise Mistake("The file is not a valid JSON array: a comma or ] is missing.")
            try:
                _, end = decoder.raw_decode(text, start)
            except RecursionError:
                raise Mistake("The file has a value that is nested too deeply.") from None
            except ValueError:
                break  # perhaps the rest comes with the next piece
            if end == len(text) and piece is not None:
                break  # a number can go on
            yield text[start:end]
            at, is_first = end, False
        if piece is None:
            raise Mistake("The file is not a valid JSON array. Check its end.")
        text, at = text[at:] + piece, 0


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _counted(sums: DictRow) -> str:
    return ", ".join(f"{sums[name]:,} {name}" for name in _SUMS)
