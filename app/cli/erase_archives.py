"""Erases persons in archives of the audit log: the part of ``leads erase`` for retired years."""

import fcntl
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from app import archive, archive_check
from app.archive import ArchiveError
from app.archive_check import Event
from app.cli.addresses import call
from app.cli.output import Mistake
from app.cli.retire import checked, compare

_BATCH = 1000
_ITEMS = 10_000
"""Events that one event lead.erased or organization.erased lists."""
_WITHOUT_VALUES = ("lead.erased", "organization.erased", "lead.read", "audit.retired")
"""As in audit.erase_events."""

Target = tuple[UUID, UUID | None]
"""An organization and a lead; None: all its events."""


@dataclass(frozen=True)
class Archives:
    """The archives that the command was given, and their keys."""

    paths: tuple[Path, ...]
    identities: list[archive.Identity]
    recipients: list[archive.Recipient]

    def leads(
        self,
        connection: psycopg.Connection[DictRow],
        organization: UUID | None,
        lead: UUID | None,
        email: str | None,
        phone: str | None,
    ) -> list[dict[str, Any]]:
        """The leads that the archives have, in the form of admin.leads_to_erase, after the archives were verified."""
        events: dict[tuple[str, str], int] = defaultdict(int)
        batch: list[Event] = []

        def search() -> None:
            payloads = [event["payload"] for event in batch]
            for row in call_json(connection, "admin.payloads_about", organization, payloads, email, phone):
                event = batch[row["number"] - 1]
                events[event["organization_id"], event["lead_id"]] += 1
            batch.clear()

        def see(event: Event) -> None:
            if event["lead_id"] is None or (organization and event["organization_id"] != str(organization)):
                return
            if lead is not None:
                if event["lead_id"] == str(lead):
                    events[event["organization_id"], event["lead_id"]] += 1
                return
            batch.append(event)
            if len(batch) == _BATCH:
                search()

        contents = []
        for path in self.paths:
            contents.append(_checked(path, self.identities, see))
            search()
        try:
            compare(connection, contents)
        except ArchiveError as error:
            raise Mistake(str(error)) from None
        return [
            {
                "organization_id": UUID(organization_id),
                "lead_id": UUID(lead_id),
                "name": None,
                "email": None,
                "is_deleted": True,
                "events": count,
                "copies": [],
                "webhooks": [],
            }
            for (organization_id, lead_id), count in events.items()
        ]

    def erase(self, connection: psycopg.Connection[DictRow], targets: set[Target]) -> dict[UUID | None, int]:
        """Writes the archives again without the values of the leads. Returns the numbers of events by lead."""
        counts: dict[UUID | None, int] = defaultdict(int)
        for path in self.paths:
            with _locked(path):
                for (_, lead), events in self._erase(connection, path, targets).items():
                    counts[lead] += events
        return counts

    def not_searched(self, connection: psycopg.Connection[DictRow], *leads: UUID | None) -> str:
        """Sentences that name the archives that may have values of the leads and were not given; or nothing."""
        given = set()
        for path in self.paths:
            given.add(archive_check.read_header(archive.read(path, self.identities))["year"])
        first = min((_year_of(lead) for lead in leads), default=0)
        rows = [row for row in call(connection, "admin.retired_years") if row["year"] >= first]
        sentences = []
        if others := [row for row in rows if row["year"] not in given]:
            names = ", ".join(
                f"{row['year']} ({row['archive_name']}, SHA-256 {row['archive_digest']})" for row in others
            )
            sentences.append(
                f"These archives may have values too, and were not given: {names}. Run the command again with "
                "--archive FILE, --identity FILE and --recipient KEY for each."
            )
        if kept := [row for row in rows if row["dropped_at"] is None]:
            years = ", ".join(str(row["year"]) for row in kept)
            sentences.append(
                f"The tables of {years} are retired and keep the values until you run leads audit drop --year YEAR."
            )
        return " ".join(sentences)

    def _erase(self, connection: psycopg.Connection[DictRow], path: Path, targets: set[Target]) -> dict[Target, int]:
        part = archive.part(path)
        part.unlink(missing_ok=True)  # of a command that was killed
        own = archive.new_identity()
        items: dict[Target, list[dict[str, str]]] = defaultdict(list)
        lines = archive.read(path, self.identities)
        digest = archive.write(part, _erased(connection, lines, targets, items), [*self.recipients, own.to_public()])
        before, after = _checked(path, self.identities), _checked(part, [own])
        written = {item["event_id"]: item["digest"] for each in items.values() for item in each}
        remaining = {event: value for events in after.erased.values() for event, value in events.items()}
        if (
            before.organizations != after.organizations
            or before.events != after.events
            or written.items() - remaining.items()
        ):
            raise Mistake(f"{part} doesn't have the written content. Check the disk, and run the command again.")
        if not written:
            part.unlink()
            return {}
        # The database first: it accepts the values of both archives then.
        with connection.transaction():
            for (organization, lead), each in items.items():
                for start in range(0, len(each), _ITEMS):
                    call(
                        connection,
                        "admin.record_archive_erasure",
                        organization,
                        lead,
                        after.year,
                        bytes.fromhex(digest),
                        json.dumps(each[start : start + _ITEMS]),
                    )
        part.replace(path)
        archive.flush_folder(path)
        return {target: len(each) for target, each in items.items()}


def archives_of(paths: tuple[Path, ...], identity: Path | None, keys: Sequence[str]) -> Archives:
    """The archives of the command's options. Raises Mistake."""
    if bool(paths) != bool(identity) or bool(paths) != bool(keys):
        raise Mistake("--archive, --identity and --recipient need each other.")
    try:
        return Archives(paths, archive.identities(identity) if identity else [], archive.recipients(keys))
    except ArchiveError as error:
        raise Mistake(str(error)) from None


def call_json(connection: psycopg.Connection[DictRow], function: str, *arguments: Any) -> list[DictRow]:
    """The rows of a function, among whose arguments lists are of JSON texts."""
    placeholders = ", ".join("%s::json[]" if isinstance(value, list) else "%s" for value in arguments)
    return connection.execute(f"select * from {function}({placeholders})".encode(), arguments).fetchall()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Waits until no other command writes the archive again. Two would replace each other's."""
    while True:
        with open(path, "rb") as file:
            # The system releases the lock when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield
                return


def _checked(path: Path, keys: list[archive.Identity], *see: Any) -> archive_check.Contents:
    try:
        return checked(path, keys, *see)
    except ArchiveError as error:
        raise Mistake(str(error)) from None


def _erased(
    connection: psycopg.Connection[DictRow],
    lines: Iterator[bytes],
    targets: set[Target],
    items: dict[Target, list[dict[str, str]]],
) -> Iterator[bytes]:
    """The lines of an archive without the values of the leads. Adds to items what remains of each payload."""
    needles = [str(lead or organization).encode() for organization, lead in targets]
    batch: list[bytes] = []
    for number, line in enumerate(lines):
        # The first line has no event.
        batch.append(line)
        if number == 0 or len(batch) == _BATCH:
            yield from _erased_batch(connection, batch, needles, targets, items) if number else batch
            batch = []
    yield from _erased_batch(connection, batch, needles, targets, items)


def _erased_batch(
    connection: psycopg.Connection[DictRow],
    batch: list[bytes],
    needles: list[bytes],
    targets: set[Target],
    items: dict[Target, list[dict[str, str]]],
) -> Iterator[bytes]:
    events: dict[int, tuple[Target, Event]] = {}
    for number, line in enumerate(batch):
        # Most lines are about nobody of them, and needn't be parsed.
        if any(needle in line for needle in needles):
            event = json.loads(line)
            if event.get("salt") is None or event["action"] in _WITHOUT_VALUES:
                continue
            organization = UUID(event["organization_id"])
            lead = UUID(event["lead_id"]) if event["lead_id"] else None
            if (organization, None) in targets:
                events[number] = (organization, None), event
            elif (organization, lead) in targets:
                events[number] = (organization, lead), event
    payloads = [event["payload"] for _, event in events.values()]
    rows = call_json(connection, "admin.erased_payloads", payloads) if payloads else []
    erased = dict(zip(events, (row["payload"] for row in rows), strict=True))
    for number, line in enumerate(batch):
        if number not in events or erased[number] == events[number][1]["payload"]:
            yield line
            continue
        target, event = events[number]
        payload = erased[number]
        items[target].append({"event_id": event["id"], "digest": hashlib.sha256(payload.encode()).hexdigest()})
        yield json.dumps(event | {"payload": payload, "salt": None}, ensure_ascii=False).encode() + b"\n"


def _year_of(lead: UUID | None) -> int:
    """The year in which a lead was created, if its id has it (RFC 9562, section 5.7)."""
    if lead is None or lead.version != 7:
        return 0
    return datetime.fromtimestamp((lead.int >> 80) / 1000, UTC).year
