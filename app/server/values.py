"""The texts that a parameter of each type takes, and what is handed to PostgreSQL for them: only what casts.

A cast in PostgreSQL stops at the first value and names no parameter, and it takes more than an API should: ``now``,
``infinity``, dates without a zone.
"""

import datetime
import re
from collections.abc import Callable, Iterable


class Fault(Exception):
    """A value that its type doesn't take: a code, a word, and a detail, a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,10}", re.ASCII)
# ISO 8601's calendar date in its extended form, alone or as RFC 3339's date-time.
_INSTANT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt](?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?P<fraction>\.[0-9]{1,9})?"
    r"(?P<offset>[Zz]|[+ -](?:[01][0-9]|2[0-3]):[0-5][0-9]))?",
    re.ASCII,
)


def reader(base_type: str) -> Callable[[str], str]:
    """What reads a value of the type, as PostgreSQL's format_type names it. Raises ValueError for other types."""
    try:
        return _READERS[base_type]
    except KeyError:
        raise ValueError(f"an argument has the type {base_type}; use one of {', '.join(_READERS)}") from None


def text(value: str) -> str:
    """Any text but an empty one, and none with a NUL, at which libpq would cut it off."""
    if not value:
        raise Fault("empty_value", "This is empty. Give a value, or leave the parameter out.")
    if "\0" in value:
        raise Fault("nul_character", "This has a NUL character. Leave it out.")
    return value


def integer(value: str) -> str:
    """A whole number within four bytes."""
    text(value)
    if not _INTEGER.fullmatch(value) or not -(2**31) <= int(value) < 2**31:
        raise Fault("invalid_integer", "This must be a whole number.")
    return value


def uuid(value: str) -> str:
    """A UUID in its common form (RFC 9562, section 4)."""
    text(value)
    if not _UUID.fullmatch(value):
        raise Fault("invalid_uuid", "This must be a UUID such as 9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18.")
    return value.lower()


def boolean(value: str) -> str:
    """true or false."""
    text(value)
    if value not in ("true", "false"):
        raise Fault("invalid_boolean", "This must be true or false.")
    return value


def instant(value: str) -> str:
    """A date, which is midnight UTC, or a date and time with Z or an offset; years 0001 to 9999.

    A space stands for a plus sign: that is what a plus sign in a query means unless it is encoded.
    """
    text(value)
    match = _INSTANT.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        date, time, fraction, offset = match.group("date", "time", "fraction", "offset")
        if time is None:
            parsed = datetime.datetime.fromisoformat(date).replace(tzinfo=datetime.UTC)
        else:
            offset = "+00:00" if offset in "Zz" else offset.replace(" ", "+")
            parsed = datetime.datetime.fromisoformat(f"{date}T{time}{(fraction or '')[:7]}{offset}")
        # To the form that needs no zone; a year outside 0001 to 9999 overflows.
        return parsed.astimezone(datetime.UTC).isoformat()
    except (ValueError, OverflowError):
        raise Fault(
            "invalid_timestamp",
            "This must be a date such as 2026-04-27 (midnight UTC), or a date and time with Z or an offset such as "
            "2026-04-27T13:22:05Z.",
        ) from None


def text_list(value: str) -> str:
    """Texts separated by commas, as an array literal."""
    return array(text(item) for item in value.split(","))


def array(items: Iterable[str]) -> str:
    """PostgreSQL's literal of an array of texts."""
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"


_READERS: dict[str, Callable[[str], str]] = {
    "text": text,
    "integer": integer,
    "uuid": uuid,
    "boolean": boolean,
    "timestamp with time zone": instant,
    "text[]": text_list,
}
