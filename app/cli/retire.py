"""``leads audit retire`` and ``leads audit drop``: move old years of the audit log into archives."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg.rows import DictRow
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app import archive, archive_check, migration_lock
from app.archive import ArchiveError
from app.archive_check import Contents, Event
from app.cli.addresses import addresses, call, connect
from app.cli.output import Mistake, json_option, progress
from app.migrations import MigrationError

KEEP_YEARS = 7
"""Without --before, years are retired whose last event is older than this."""

_BATCH = 2000
_PART = 10_000
"""The number of seals that one call verifies: the maximum that the database allows."""
_GIVE_UP_AFTER = 60.0
"""Seconds for which the command tries to get a lock."""
_PAUSE = 0.5
_YEAR = "{year}"


identity_option: Callable[..., Any] = click.option(
    "--identity",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file with the private key of the archives.",
)


def archives_option(help: str) -> Callable[..., Any]:
    """The option --archive of a command that reads archives."""
    return click.option(
        "--archive",
        "paths",
        type=click.Path(dir_okay=False, path_type=Path),
        multiple=True,
        metavar="FILE",
        help=help,
    )


@click.command()
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Retire the years before this 1 January (UTC). [default: years that ended more than 7 years ago]",
)
@click.option(
    "--archive",
    "name",
    required=True,
    metavar="FILE",
    help="The archive to write. {year} stands for the year, which is needed for several years.",
)
@click.option(
    "--recipient",
    "keys",
    required=True,
    multiple=True,
    metavar="KEY",
    help="A public key of age (age1…), or a file with public keys, for which the archive is encrypted.",
)
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
@json_option
def retire(before: datetime | None, name: str, keys: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Move old years of the audit log into encrypted archives.

    Connects with LEADS_MIGRATE_URL. For each year the command verifies the events, writes the
    archive, reads it back, and takes the year out of the log. The tables of the year stay until you
    run leads audit drop. The API can serve meanwhile. After an interruption, run the command again.
    """
    year = _year_of(before)
    try:
        recipients = archive.recipients(keys)
        with (
            addresses() as urls,
            migration_lock.locked(urls.of_migrate(), _say),
            connect(urls.of_migrate(), autocommit=True) as connection,
        ):
            migration_lock.no_time_limits(connection)
            done = _finish(connection, name)
            years = _due(connection, year, name)
            if years and not yes:
                _confirm(f"Retire {', '.join(str(each) for each in years)} from the audit log")
            done += [_retire(connection, each, _path(name, each), recipients) for each in years]
    except (ArchiveError, MigrationError) as error:
        raise Mistake(str(error)) from None
    if as_json:
        click.echo(json.dumps(done, default=str, indent=2))
        return
    for row in done:
        click.echo(
            f"{row['year']}: {row['events']} events are in {row['archive']} (SHA-256 {row['sha256']}). Copy it to "
            f"another place, and then run: leads audit drop --year {row['year']} --archive {row['archive']}"
        )
    if not done:
        click.echo(f"The audit log has no year before {year}. Nothing was changed.")


@click.command()
@click.option("--year", type=int, required=True, metavar="YEAR", help="The year, which was retired.")
@click.option(
    "--archive",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The archive of the year.",
)
@click.option(
    "--identity",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file with the private key, to verify the archive's content. Without it, only its SHA-256 is compared.",
)
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
def drop(year: int, path: Path, identity: Path | None, yes: bool) -> None:
    """Drop the tables of a retired year, if its archive is there. This can't be undone.

    Connects with LEADS_MIGRATE_URL.
    """
    with addresses() as urls, connect(urls.of_migrate(), autocommit=True) as connection:
        row = next((row for row in call(connection, "admin.retired_years") if row["year"] == year), None)
        if row is None or row["dropped_at"] is not None:
            raise Mistake(
                f"The year {year} isn't retired. Run leads audit retire first."
                if row is None
                else f"The tables of the year {year} were dropped at {row['dropped_at']}."
            )
        if not path.is_file():
            raise Mistake(f"There is no file {path}. The archive of {year} had the name {row['archive_name']}.")
        try:
            if identity is None:
                if archive.digest(path) != row["archive_digest"]:
                    raise ArchiveError(
                        f"{path} isn't the archive of {year}, whose SHA-256 is {row['archive_digest']}. Nothing was "
                        "dropped."
                    )
            else:
                contents = checked(path, archive.identities(identity))
                if contents.year != year:
                    raise ArchiveError(f"{path} is the archive of {contents.year}. Nothing was dropped.")
                compare(connection, [contents])
        except ArchiveError as error:
            raise Mistake(str(error)) from None
        if not yes:
            _confirm(f"Drop the tables of {year}, with {row['events']} events")
        _patiently(connection, "dropped", "admin.drop_year", year)
    click.echo(f"The tables of {year} were dropped. {path} has the only copy of its events.")


def checked(path: Path, keys: list[archive.Identity], see: Callable[[Event], None] = lambda event: None) -> Contents:
    """What an archive has, after all of it was verified. Raises ArchiveError.

    see: is called with each event.
    """
    with _bar() as bar:
        task = bar.add_task(f"verifying {path.name}", total=None)
        try:
            return archive_check.check(archive.read(path, keys), lambda events: bar.update(task, completed=events), see)
        except OSError as error:
            raise ArchiveError(f"{path} can't be read: {error.strerror}.") from None
        except (KeyError, TypeError, ValueError) as error:
            raise ArchiveError(f"{path} can't be read: {error!r}.") from None
        except ArchiveError as error:
            raise ArchiveError(f"{path}: {error}") from None


def compare(connection: psycopg.Connection[DictRow], contents: list[Contents]) -> None:
    """Compares verified archives with what the database says about their years. Raises ArchiveError."""
    for each in contents:
        parts = json.loads(json.dumps(call(connection, "admin.retired_parts", each.year), default=str))
        if parts != each.organizations:
            raise ArchiveError(
                f"The archive of {each.year} doesn't have the positions and hashes that the events audit.retired name."
            )
        for organization, erased in each.erased.items():
            listed = set().union(*(other.listed for other in contents))
            items = [
                {"event_id": event, "digest": digest}
                for event, digest in erased.items()
                if (organization, event, digest) not in listed
            ]
            if items and (rows := call(connection, "admin.unlisted_erasures", organization, json.dumps(items))):
                raise ArchiveError(
                    f"In the archive of {each.year}, the payload of the event {rows[0]['event_id']} was changed, and "
                    "no erasure lists it, neither in the database nor in these archives. If the person was erased in a "
                    "year that is retired too, give its archive as well."
                )


def _retire(
    connection: psycopg.Connection[DictRow], year: int, path: Path, recipients: list[archive.Recipient]
) -> dict[str, Any]:
    part = archive.part(path)
    part.unlink(missing_ok=True)  # of a command that was killed
    since = _patiently(connection, "retired", "audit.lock_partitions", year)[0]["lock_partitions"]
    organizations = json.loads(json.dumps(call(connection, "admin.archive_organizations", year), default=str))
    events = sum(organization["events"] for organization in organizations)
    own = archive.new_identity()
    with _bar() as bar:
        task = bar.add_task(f"verifying {year}", total=events)
        _verify(connection, organizations, bar, task)
        bar.reset(task, description=f"writing {part.name}", total=events)
        lines = _lines(connection, year, organizations, bar, task)
        digest = archive.write(part, lines, [*recipients, own.to_public()])
    # What is on the disk, and not what was sent there.
    contents = checked(part, [own])
    if archive.digest(part) != digest or contents.organizations != organizations or contents.events != events:
        raise ArchiveError(f"{part} doesn't have the written content. Check the disk, and run the command again.")
    with connection.transaction():
        call(
            connection, "admin.retire_year", year, path.name, bytes.fromhex(digest), json.dumps(contents.organizations)
        )
        _patiently(connection, "retired", "admin.finish_retirement", year, since)
    archive.give_name(path)
    return {"year": year, "events": events, "organizations": len(organizations), "archive": str(path), "sha256": digest}


def _finish(connection: psycopg.Connection[DictRow], name: str) -> list[dict[str, Any]]:
    """Gives an archive its name whose year is retired. An earlier command was killed before it."""
    done = []
    for row in call(connection, "admin.retired_years"):
        path = _path(name, row["year"])
        part = archive.part(path)
        if part.exists() and archive.digest(part) == row["archive_digest"]:
            archive.give_name(path)
            done.append(
                {"year": row["year"], "events": row["events"], "archive": str(path), "sha256": row["archive_digest"]}
            )
    return done


def _due(connection: psycopg.Connection[DictRow], before: int, name: str) -> list[int]:
    """The years to retire, in their order. Raises Mistake if one must stay, or if a file exists."""
    rows = call(connection, "admin.retirable_years", before)
    due = []
    for row in rows:
        if row["kept_by"]:
            # Years are retired in their order, so that an erasure never comes before what it erased.
            _say(
                f"{row['year']} stays, and so do later years, because these organizations keep their events longer: "
                f"{', '.join(str(each) for each in row['kept_by'])}. To change it: leads organizations set ID "
                "--keep-audit-years N"
            )
            break
        if row["unsealed_of"]:
            raise Mistake(
                f"{row['year']} has events without a seal, of: {', '.join(str(each) for each in row['unsealed_of'])}. "
                "Start a worker, or run: leads audit seal"
            )
        if row["uncounted_of"]:
            raise Mistake(
                f"{row['year']} has events that the figures of stages lack (bi.stage_history), of: "
                f"{', '.join(str(each) for each in row['uncounted_of'])}. Start a worker, and run the command again."
            )
        due.append(row["year"])
    if len(due) > 1 and _YEAR not in name:
        raise Mistake(
            f"These years will be retired: {', '.join(str(year) for year in due)}. Each needs its own "
            f"archive: write {_YEAR} in FILE."
        )
    for year in due:
        if _path(name, year).exists():
            raise Mistake(f"{_path(name, year)} exists. An archive is never overwritten: use another name.")
    return due


def _verify(
    connection: psycopg.Connection[DictRow], organizations: list[dict[str, Any]], bar: Progress, task: TaskID
) -> None:
    for organization in organizations:
        id = organization["organization_id"]
        for part in organization["ranges"]:
            after = part["first"] - 1
            while after < part["last"]:
                limit = min(_PART, part["last"] - after)
                row = call(connection, "admin.verify_chain", id, after, limit)[0]
                if not row["holds"]:
                    raise Mistake(
                        f"The log of {id} has a fault at position {row['position']} ({row['code']}), so that nothing "
                        f"was retired. To see it, run: leads audit verify --organization {id}"
                    )
                bar.advance(task, row["verified_to"] - after)
                after = row["verified_to"]


def _lines(
    connection: psycopg.Connection[DictRow], year: int, organizations: list[dict[str, Any]], bar: Progress, task: TaskID
) -> Iterator[bytes]:
    yield archive_check.header(year, datetime.now(UTC).isoformat(timespec="seconds"), organizations)
    events = 0
    for organization in organizations:
        after = 0
        while rows := call(connection, "admin.archive_events", year, organization["organization_id"], after, _BATCH):
            for row in rows:
                yield row["line"].encode() + b"\n"
            events, after = events + len(rows), rows[-1]["position"]
            bar.update(task, completed=events)
    yield archive_check.end(events)


def _patiently(connection: psycopg.Connection[DictRow], done: str, function: str, *arguments: object) -> list[DictRow]:
    """The rows of a function that waits for locks for a short time. It is called until it gets them.

    In a transaction, each call has a savepoint, so that it gives back the locks that it got.
    Raises Mistake after a minute.
    """
    end = time.monotonic() + _GIVE_UP_AFTER
    while True:
        try:
            with connection.transaction():
                return call(connection, function, *arguments)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if time.monotonic() > end:
                raise Mistake(
                    f"Another transaction has locked the audit log for a minute, so that nothing was {done}. Run the "
                    "command again at a quieter time. Its process in PostgreSQL is in: select * from pg_stat_activity "
                    "order by xact_start"
                ) from None
        time.sleep(_PAUSE)


def _year_of(before: datetime | None) -> int:
    now = datetime.now(UTC)
    if before is None:
        return now.year - KEEP_YEARS
    if (before.month, before.day) != (1, 1) or before.year > now.year:
        raise Mistake(
            f"--before must be a 1 January, {date(now.year, 1, 1)} or earlier: the log is retired by whole years."
        )
    return before.year


def _path(name: str, year: int) -> Path:
    return Path(name.replace(_YEAR, str(year)))


def _bar() -> Progress:
    return progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _confirm(question: str) -> None:
    try:
        if click.confirm(f"{question}?", err=True):
            return
    except click.Abort:
        _say("\nNothing was changed. Use --yes for no confirmation.")
        raise
    _say("Nothing was changed.")
    raise click.Abort
