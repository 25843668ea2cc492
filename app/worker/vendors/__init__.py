"""The interface of the CRM adapters, and the outcomes of their calls.

An adapter makes each call in the vendor's form and returns the result.
It makes no decisions and no retries.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Contact:
    """A lead in the form that adapters send."""

    lead_id: str
    sync_id: str
    display_name: str
    """The person's name, else the company's, else the address."""
    name: str | None
    company: str | None
    email: str | None
    source: str | None
    description: str
    """The lead's other fields, in sentences."""
    lead: dict[str, Any]
    """All fields, in the form of the API."""

    @property
    def phone(self) -> str | None:
        """The phone number, in E.164 if its country is known. An extension is in the description."""
        return self.lead.get("phone_e164") or self.lead.get("phone")


@dataclass(frozen=True)
class Record:
    """The parts of a vendor's record that we use."""

    id: str
    email: str | None = None
    display_name: str | None = None
    external_id: str | None = None
    """Our lead's id, if the vendor stores it with the record and returns it."""
    is_new: bool = False
    """Whether the call that returned it has created it."""


@dataclass(frozen=True)
class Sent:
    """What a creating call sends. It is stored before the call,
    so that a later attempt can look for the record.
    """

    email: str | None
    display_name: str


@dataclass(frozen=True)
class Account:
    """What a vendor returns about a credential that it accepts."""

    name: str | None
    """The account's name, if the vendor returns it."""
    faults: tuple[str, ...] = ()
    """Errors in the connection's settings, a sentence each."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings that the vendor tells, and that the connection gets if nobody chose others."""


class CallFailed(Exception):
    """A call failed. The message is a sentence for people, with the vendor's own message."""

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status. None: there was no response."""
        self.retry_after = retry_after
        """Seconds that the vendor asks to wait, 0 or more. None: it doesn't ask."""


class NotMade(CallFailed):
    """The call certainly had no effect (no connection, a temporary refusal).
    A later call may succeed.
    """


class Redirected(NotMade):
    """The vendor answered with a redirect, which isn't followed."""


class Blocked(NotMade):
    """Something in front of the vendor refuses this call (403), and not the vendor.
    Another lead may pass.
    """


class OutcomeUnknown(CallFailed):
    """Whether the call had an effect is unknown (a time-out, a 5xx, a broken connection)."""


class Unclear(OutcomeUnknown):
    """The call may have had an effect, and another call would end in the same way.
    A person must decide.
    """


class Refused(CallFailed):
    """The vendor refuses the call, and would refuse it again."""


class NotYet(Refused):
    """The vendor refuses the call, and may accept it within an hour.
    It is being set up, or its queue is full.
    """


class Unauthorized(Refused):
    """The vendor refuses the credential (401), or the credential doesn't permit the call (403)."""


class Duplicate(Refused):
    """The vendor already has a record with that name."""


@dataclass(frozen=True)
class Setting:
    """A setting of a connection to the vendor."""

    help: str
    is_required: bool
    parse: Callable[[str], object]
    """From a person's input to the stored JSON value.
    Raises ValueError, whose message continues after "but ".
    """


class Vendor(Protocol):
    """A CRM, with one connection's settings and credential."""

    @property
    def creates_once(self) -> bool:
        """Whether a second create call with the same lead never creates a second record."""

    async def verify(self) -> Account:
        """Checks the credential and the settings at the vendor. Raises CallFailed."""

    async def find_by_email(self, email: str) -> list[Record]:
        """The records with exactly that address, in any case;
        the oldest first, if the vendor tells their age.
        """

    async def find_by_name(self, display_name: str) -> list[Record] | None:
        """The records with exactly that display name. None: the vendor has no such search."""

    async def create(self, contact: Contact, display_name: str) -> Record:
        """Creates the record with this display name. May raise Duplicate."""

    def records(self) -> AsyncIterator[Record]:
        """All records that the vendor has, for a comparison.
        Raises NotImplementedError if it has no such call.
        """
