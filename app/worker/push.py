"""One push, from the look-up to the record: what is asked of the vendor, in which order, and what came of it.

Nothing here waits, retries or remembers: crm.lease_syncs has waited until what earlier attempts may have made shows in
the vendor's look-up, and crm.settle_attempt decides by the outcome what is next.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from app.worker.vendors import (
    CallFailed,
    Contact,
    Duplicate,
    NotMade,
    OutcomeUnknown,
    Record,
    Refused,
    Sent,
    Unauthorized,
    Vendor,
)


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt, in the words of crm.settle_attempt."""

    outcome: str
    external_id: str | None = None
    http_status: int | None = None
    message: str | None = None
    retry_after: float | None = None
    """Seconds."""


class Undecided(Exception):
    """A record may be the one that an earlier attempt made, and nothing at the vendor tells."""


async def push(
    vendor: Vendor, contact: Contact, open_attempts: Iterable[Sent], spellings: Iterable[str] = ()
) -> Outcome:
    """Finds the lead's record at the vendor, or makes it.

    open_attempts: what was sent by attempts whose outcome is unknown. spellings: the lead's address as records may have
    it. What the calls before each call raise passes through.
    """
    attempts = list(open_attempts)
    try:
        found = await _find(vendor, contact, attempts, spellings)
        record = found or await _create(vendor, contact, is_first=not attempts)
    except Undecided as reason:
        return Outcome("undecided", message=str(reason))
    except Unauthorized as error:
        return _failed("unauthorized", error)
    except Refused as error:
        return _failed("refused", error)
    except OutcomeUnknown as error:
        return _failed("unknown", error)
    except NotMade as error:
        return _failed("not_made", error)
    if not record.id.isprintable():  # PostgreSQL takes no NUL; crm.settle_attempt looks at the length
        return Outcome("undecided", message="The vendor has a record, and gave an id that can't be kept.")
    return Outcome("created" if record.is_new else "linked", external_id=record.id)


async def _find(vendor: Vendor, contact: Contact, attempts: list[Sent], spellings: Iterable[str]) -> Record | None:
    """The record that an earlier attempt made, or that has the lead's address. Raises Undecided."""
    present = [contact.email, *spellings] if contact.email else []
    for email in dict.fromkeys((*(attempt.email for attempt in attempts), *present)):
        if not email or not (found := await vendor.find_by_email(email)):
            continue
        if own := _own(found, contact):
            return own
        if email.lower() == (contact.email or "").lower():
            return found[0]
        # Of an address that the lead had: it may be the record of who has it now.
        if any(record.external_id is None for record in found):
            raise Undecided(f"There is a record with {email}, and nothing in it tells whether it is this lead's.")
    if vendor.creates_once:
        return None
    for name in dict.fromkeys(attempt.display_name for attempt in attempts if not attempt.email):
        named = await vendor.find_by_name(name)
        if named is None:
            raise Undecided("An earlier attempt may have made a record, and the vendor can't be asked for it by name.")
        if own := _own(named, contact):
            return own
        if any(record.external_id is None and not record.email for record in named):
            raise Undecided(f"There is a record called {name}, and nothing in it tells whether it is this lead's.")
    return None


async def _create(vendor: Vendor, contact: Contact, *, is_first: bool) -> Record:
    """Makes the record; where the name is taken by somebody else, under a longer one."""
    try:
        return await vendor.create(contact, contact.display_name)
    except Duplicate as error:
        named = await vendor.find_by_name(contact.display_name) or []
        if record := _own(named, contact) or _same_person(named, contact):
            return record
        if not named and not is_first:
            # What the vendor knows, and its search doesn't show yet, may be what an earlier attempt made.
            raise OutcomeUnknown(str(error), error.status) from None
    return await vendor.create(contact, f"{contact.display_name} ({contact.lead_id[-6:]})")


def _own(records: list[Record], contact: Contact) -> Record | None:
    return next((record for record in records if record.external_id == contact.lead_id), None)


def _same_person(records: list[Record], contact: Contact) -> Record | None:
    email = (contact.email or "").lower()
    return next((record for record in records if email and (record.email or "").lower() == email), None)


def _failed(outcome: str, error: CallFailed) -> Outcome:
    return Outcome(outcome, None, error.status, str(error), error.retry_after)
