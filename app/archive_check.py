"""Verifies an archive of the audit log by its own content: each event, each seal, and each chain.

The rules are those of audit.chain_verdict and audit.event_hash.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.archive import ArchiveError

FORMAT = "leads audit archive"
VERSION = 1

_ERASURES = ("lead.erased", "organization.erased")
_KEPT = frozenset(
    "lead_id signal_id score_id sync_id api_key_id crm_connection_id organization scoring_model pipeline_stage "
    "key_id role vendor attempts error_code trace_id".split()
)
"""The members of a payload that audit.erased_payload keeps."""
_KEPT_FIELDS = ("lead_score", "pipeline_stage", "source")
"""The fields in diff that it keeps, besides times."""
_ERASED = [("erased", True)]
_STEP = 1000
Event = dict[str, Any]


@dataclass
class Contents:
    """What an archive has."""

    header: dict[str, Any]
    events: int = 0
    erased: dict[UUID, dict[str, str]] = field(default_factory=dict)
    """The digests of payloads that were erased, by organization and event."""
    listed: set[tuple[UUID, str, str]] = field(default_factory=set)
    """What the archive's own events list as erased: organization, event and digest."""

    @property
    def year(self) -> int:
        """The year of all events."""
        return int(self.header["year"])

    @property
    def organizations(self) -> list[dict[str, Any]]:
        """The parts of the chains, as admin.archive_organizations returns them."""
        organizations: list[dict[str, Any]] = self.header["organizations"]
        return organizations


def header(year: int, created_at: str, organizations: list[dict[str, Any]]) -> bytes:
    """The first line of an archive."""
    values = {
        "format": FORMAT,
        "version": VERSION,
        "year": year,
        "created_at": created_at,
        "organizations": organizations,
    }
    return json.dumps(values, default=str).encode() + b"\n"


def end(events: int) -> bytes:
    """The last line of an archive."""
    return json.dumps({"end": True, "events": events}).encode() + b"\n"


def check(
    lines: Iterator[bytes],
    advance: Callable[[int], None] = lambda events: None,
    see: Callable[[Event], None] = lambda event: None,
) -> Contents:
    """Reads a whole archive. Raises ArchiveError at the first fault.

    advance: is called with the number of events now and then. see: is called with each event, after
    it was verified.
    """
    contents = Contents(read_header(lines))
    for organization in contents.organizations:
        id, events = UUID(organization["organization_id"]), 0
        for part in organization["ranges"]:
            before = bytes.fromhex(part["hash_before"])
            if part["first"] == 1 and before != hashlib.sha256(id.bytes).digest():
                raise ArchiveError(f"The chain of {id} doesn't begin with the organization's id.")
            for position in range(part["first"], part["last"] + 1):
                event = _read(lines)
                before = _check_event(contents, id, position, before, event)
                events += 1
                see(event)
                if events % _STEP == 0:
                    advance(contents.events + events)
            if before.hex() != part["hash"]:
                raise ArchiveError(f"The last seal of {id} at position {part['last']} isn't the one in the header.")
        advance(contents.events + events)
        if events != organization["events"]:
            raise ArchiveError(f"The header has another number of events of {id}.")
        contents.events += events
    if _read(lines) != {"end": True, "events": contents.events} or next(lines, None) is not None:
        raise ArchiveError("The archive doesn't end where it must.")
    return contents


def read_header(lines: Iterator[bytes]) -> dict[str, Any]:
    """The first line of an archive. Raises ArchiveError."""
    values = _read(lines)
    if values.get("format") != FORMAT:
        raise ArchiveError("The file isn't an archive of the audit log.")
    if values["version"] != VERSION:
        raise ArchiveError(f"The archive has version {values['version']}; this release reads version {VERSION}.")
    return values


def _check_event(contents: Contents, organization: UUID, position: int, before: bytes, event: Event) -> bytes:
    where = f"Organization {organization}, position {position}"
    if event.get("organization_id") != str(organization) or event.get("position") != position:
        raise ArchiveError(f"{where}: the event is missing.")
    if not event["created_at"].startswith(f"{contents.year}-"):
        raise ArchiveError(f"{where}: the event is of another year.")
    if event_hash(event).hex() != event["event_hash"]:
        raise ArchiveError(f"{where}: the event {event['id']} was changed.")
    hash = hashlib.sha256(before + bytes.fromhex(event["event_hash"])).digest()
    if hash.hex() != event["hash"]:
        raise ArchiveError(f"{where}: the seal isn't the one that follows the seal before it.")
    payload = event["payload"].encode()
    if event["salt"] is None:
        if not is_erased(payload):
            raise ArchiveError(f"{where}: the payload of the event {event['id']} isn't what an erasure leaves.")
        contents.erased.setdefault(organization, {})[event["id"]] = hashlib.sha256(payload).hexdigest()
    elif hashlib.sha256(bytes.fromhex(event["salt"]) + payload).hexdigest() != event["payload_digest"]:
        raise ArchiveError(f"{where}: the payload of the event {event['id']} was changed.")
    elif event["action"] in _ERASURES:
        contents.listed |= {(organization, item["event_id"], item["digest"]) for item in json.loads(payload)["erased"]}
    return hash


def event_hash(event: Event) -> bytes:
    """The SHA-256 of an event, as audit.event_hash computes it."""
    names = ("position", "id", "organization_id", "action", "source", "correlation_id", "lead_id", "payload_digest")
    values = [*(event[name] for name in names), event["created_at"]]
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).digest()


def is_erased(payload: bytes) -> bool:
    """Whether a payload has no value that an erasure would have replaced, as audit.erased_payload does."""
    members: list[tuple[str, Any]] = json.loads(payload, object_pairs_hook=list)
    return all(
        value is None
        or key in _KEPT
        or (
            all(name in _KEPT_FIELDS or name.endswith("_at") or each == _ERASED for name, each in value)
            if key == "diff"
            else value == _ERASED
        )
        for key, value in members
    )


def _read(lines: Iterator[bytes]) -> dict[str, Any]:
    try:
        values = json.loads(next(lines))
    except StopIteration:
        raise ArchiveError("The archive was cut off.") from None
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ArchiveError("A line of the archive isn't a JSON object.")
    return values
