"""What a CRM's adapter can do, and what its calls can end in.

An adapter says each call in the vendor's words, and tells what came of it; it decides nothing and retries nothing.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Contact:
    """A lead, as a CRM is told of it."""

    lead_id: str
    sync_id: str
    display_name: str
    """The person's name, else the company's, else the address."""
    name: str | None
    company: str | None
    email: str | None
    source: str | None
    description: str
    """What is known of the lead, in sentences."""
    lead: dict[str, Any]
    """All fields, as the API shows them."""


@dataclass(frozen=True)
class Record:
    """A vendor's record, as far as it is looked at."""

    id: str
    email: str | None = None
    display_name: str | None = None
    external_id: str | None = None
    """Our lead's id, where the vendor keeps it with the record and shows it."""
    is_new: bool = False
    """Made by the call that gave it."""


@dataclass(frozen=True)
class Sent:
    """What the call that makes a record sends; kept before it is made, so that a successor can look for it."""

    email: str | None
    display_name: str


@dataclass(frozen=True)
class Account:
    """What a vendor says of a credential that it takes."""

    name: str | None
    """Which account it opens, where the vendor tells."""
    faults: tuple[str, ...] = ()
    """What is wrong with the connection's settings, a sentence each."""


class CallFailed(Exception):
    """A call came to nothing good. The message is a sentence with the vendor's own words, for people."""

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status; None: there was no answer."""
        self.retry_after = retry_after
        """Seconds that the vendor asks to wait, 0 or more; None: it doesn't say."""


class NotMade(CallFailed):
    """The call did nothing for sure (no connection, 429), and may do better later."""


class OutcomeUnknown(CallFailed):
    """Whether the call did something is unknown (a time-out, a 5xx, a connection that broke)."""


class Refused(CallFailed):
    """The vendor refuses the call, and would again."""


class Unauthorized(Refused):
    """The vendor refuses the credential, or what it may do (401, 403)."""


class Duplicate(Refused):
    """The vendor has a record of that name already."""


@dataclass(frozen=True)
class Setting:
    """A value that a connection to the vendor has, besides its credential."""

    help: str
    is_required: bool
    parse: Callable[[str], object]
    """From what a person types to what is kept, as JSON has it. Raises ValueError; the message goes on after "but "."""


class Vendor(Protocol):
    """A CRM, with one connection's settings and credential."""

    @property
    def creates_once(self) -> bool:
        """Whether creating again with the same lead can't make a second record."""

    async def verify(self) -> Account:
        """Asks the vendor whether it takes the credential and the settings. Raises CallFailed."""

    async def find_by_email(self, email: str) -> list[Record]:
        """The records with exactly that address, in any case, the oldest first as far as the vendor tells."""

    async def find_by_name(self, display_name: str) -> list[Record] | None:
        """The records with exactly that display name; None: the vendor can't be asked so."""

    async def create(self, contact: Contact, display_name: str) -> Record:
        """Makes the record, under this display name. Raises Duplicate too."""

    def records(self) -> AsyncIterator[Record]:
        """All records that the vendor has, for a comparison. Raises NotImplementedError where it can't be asked."""
