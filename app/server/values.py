"""Parameters of each type: from the text in the request to the text for PostgreSQL.

A reader takes the text and the parameter's name. It returns the text for PostgreSQL, or a
FieldError. PostgreSQL's own cast would report only the first wrong value and not name the
parameter. It also accepts more than an API should: ``now``, ``infinity``, times without an offset.
A function of the database reads times, because the bodies of requests contain times too.
"""

import re
from collections.abc import Callable, Iterable

from app.server.problems import FieldError

Reader = Callable[[str, str], str | FieldError]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,10}", re.ASCII)

FUNCTIONS = {"timestamp with time zone": "api.read_instant"}
"""By type: the function of the database that reads the text. Other types are cast."""


def reader(base_type: str) -> Reader:
    """The reader of a type, which is named as PostgreSQL's format_type names it.
    Raises ValueError for other types.
    """
    try:
        return _READERS[base_type]
    except KeyError:
        raise ValueError(f"an argument has the type {base_type}; use one of {', '.join(_READERS)}") from None


def text(value: str, field: str) -> str | FieldError:
    """Any text that isn't empty and contains no NUL, because libpq would cut it off there."""
    if not value:
        return FieldError(field, "empty_value", "This is empty. Give a value, or leave the parameter out.")
    if "\0" in value:
        return FieldError(field, "nul_character", "This has a NUL character. Leave it out.")
    return value


def integer(value: str, field: str) -> str | FieldError:
    """A whole number of four bytes."""
    if _INTEGER.fullmatch(value) and -(2**31) <= int(value) < 2**31:
        return value
    return _text_error(value, field) or FieldError(field, "invalid_integer", "This must be a whole number.")


def uuid(value: str, field: str) -> str | FieldError:
    """A UUID in its common form (RFC 9562, section 4)."""
    if _UUID.fullmatch(value):
        return value.lower()
    detail = "This must be a UUID such as 9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18."
    return _text_error(value, field) or FieldError(field, "invalid_uuid", detail)


def boolean(value: str, field: str) -> str | FieldError:
    """true or false."""
    if value in ("true", "false"):
        return value
    return _text_error(value, field) or FieldError(field, "invalid_boolean", "This must be true or false.")


def text_list(value: str, field: str) -> str | FieldError:
    """Texts separated by commas, as an array literal."""
    items = value.split(",")
    for item in items:
        if error := _text_error(item, field):
            return error
    return array(items)


def array(items: Iterable[str]) -> str:
    """PostgreSQL's literal of an array of texts."""
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"


def _text_error(value: str, field: str) -> FieldError | None:
    result = text(value, field)
    return result if isinstance(result, FieldError) else None


_READERS: dict[str, Reader] = {
    "text": text,
    "integer": integer,
    "uuid": uuid,
    "boolean": boolean,
    "timestamp with time zone": text,
    "text[]": text_list,
}
