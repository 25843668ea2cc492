"""One push: it finds the lead's record at the vendor or creates it, and returns the outcome.

Nothing here waits, retries or keeps state. crm.lease_syncs has waited until the vendor's search
shows the records that earlier attempts may have created. crm.settle_attempt decides by the outcome
what comes next.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from app.worker.vendors import (
    CallFailed,
    Contact,
    Duplicate,
    NotMade,
    NotYet,
    OutcomeUnknown,
    Record,
    Refused,
    Sent,
    Unauthorized,
    Unclear,
    Vendor,
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of an attempt, in the words of crm.settle_attempt."""

    outcome: str
    external_id: str | None = None
    http_status: int | None = None
    message: str | None = None
    retry_after: float | None = None
    """Seconds."""


class Undecided(Exception):
    """An earlier attempt may have created this record,
    and nothing at the vendor shows whether it did.
    """


async def push(
    vendor: Vendor, contact: Contact, open_attempts: Iterable[Sent], spellings: Iterable[str] = ()
) -> Outcome:
    """Finds the lead's record at the vendor, or creates it.

    open_attempts: what attempts with an unknown outcome have sent. spellings: other spellings of
    the lead's address. Exceptions of the function that is called before each call pass through.
    """
    attempts = list(open_attempts)
    try:
        record = await _find(vendor, contact, attempts, spellings)
        record = record or await _create(vendor, contact, is_first=not attempts)
    except Undecided as reason:
        return Outcome("undecided", message=str(reason))
    except Unauthorized as error:
        return _failed("unauthorized", error)
    except NotYet as error:
        return _failed("not_yet", error)
    except Refused as error:
        return _failed("refused", error)
    except Unclear as error:
        return _failed("unclear", error)
    except OutcomeUnknown as error:
        return _failed("unknown", error)
    except NotMade as error:
        return _failed("not_made", error)
    if not record.id.isprintable():  # PostgreSQL accepts no NUL. crm.settle_attempt checks the length.
        return Outcome("undecided", message="The vendor has a record, and gave an id that can't be kept.")
    return Outcome("created" if record.is_new else "linked", external_id=record.id)


async def _find(vendor: Vendor, contact: Contact, attempts: list[Sent], spellings: Iterable[str]) -> Record | None:
    """The record that an earlier attempt created, or one with the lead's address.
    Raises Undecided.
    """
    present = [contact.email, *spellings] if contact.email else []
    for email in dict.fromkeys((*(attempt.email for attempt in attempts), *present)):
        if not email or not (records := await vendor.find_by_email(email)):
            continue
        if record := _with_lead_id(records, contact):
            return record
        if email.lower() == (contact.email or "").lower():
            return records[0]
        # The lead had this address before. The record may belong to a person who has it now.
        if any(record.external_id is None for record in records):
            raise Undecided(f"There is a record with {email}, and nothing in it tells whether it is this lead's.")
    if vendor.creates_once:
        return None
    for name in dict.fromkeys(attempt.display_name for attempt in attempts if not attempt.email):
        named = await vendor.find_by_name(name)
        if named is None:
            raise Undecided("An earlier attempt may have made a record, and the vendor can't be asked for it by name.")
        if record := _with_lead_id(named, contact):
            return record
        if any(record.external_id is None and not record.email for record in named):
            raise Undecided(f"There is a record called {name}, and nothing in it tells whether it is this lead's.")
    return None


async def _create(vendor: Vendor, contact: Contact, *, is_first: bool) -> Record:
    """Creates the record. If another record has the name already,
    the new one gets a longer name.
    """
    try:
        return await vendor.create(contact, contact.display_name)
    except Duplicate as error:
        named = await vendor.find_by_name(contact.display_name) or []
        if record := _with_lead_id(named, contact) or _with_same_address(named, contact):
            return record
        if not named and not is_first:
            # The vendor has a record that its search doesn't show yet.
            # An earlier attempt may have created it.
            raise OutcomeUnknown(str(error), error.status) from None
    return await vendor.create(contact, f"{contact.display_name} ({contact.lead_id[-6:]})")


def _with_lead_id(records: list[Record], contact: Contact) -> Record | None:
    return next((record for record in records if record.external_id == contact.lead_id), None)


def _with_same_address(records: list[Record], contact: Contact) -> Record | None:
    email = (contact.email or "").lower()
    return next((record for record in records if email and (record.email or "").lower() == email), None)


def _failed(outcome: str, error: CallFailed) -> Outcome:
    return Outcome(outcome, None, error.status, str(error), error.retry_after)
