"""What is wrong with a request's body: its media type, its coding, its text.

No message quotes the body: it may be personal data.
"""

import functools
import json
import re
import zlib
from typing import NoReturn

from app.server.problems import FieldError

# RFC 9110, section 5.6.6: tokens, quoted strings, and nothing between two semicolons.
_PARAMETER = re.compile(
    r"[ \t]*;[ \t]*(?:([!#$%&'*+.^_`|~0-9a-z-]+)=([!#$%&'*+.^_`|~0-9a-z-]+|\"(?:[^\"\\]|\\.)*\"))?", re.IGNORECASE
)
_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


def is_of_type(content_type: str, types: tuple[str, ...]) -> bool:
    """Whether a Content-Type names one of these types, and has well-formed parameters."""
    media_type, _, _ = content_type.partition(";")
    return media_type.strip().lower() in types and _parameters(content_type) is not None


def is_utf8(content_type: str) -> bool:
    """Whether the charset of a well-formed Content-Type is UTF-8, or a part of it."""
    parameters = _parameters(content_type) or ()
    return all(value in _CHARSETS for name, value in parameters if name == "charset")


@functools.lru_cache(64)
def _parameters(content_type: str) -> tuple[tuple[str, str], ...] | None:
    """The parameters in lower case. None: they are malformed."""
    rest = content_type[len(content_type.partition(";")[0]) :].rstrip(" \t")
    parameters = []
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None:
            return None
        position = match.end()
        if match[1]:
            value = match[2]
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            parameters.append((match[1].lower(), value.lower()))
    return tuple(parameters)


def codings(content_encoding: str) -> list[str]:
    """The codings of a Content-Encoding, without ``identity``."""
    names = (name.strip().lower() for name in content_encoding.split(","))
    return ["gzip" if name == "x-gzip" else name for name in names if name not in ("", "identity")]


def unzip(body: bytes, limit: int) -> bytes | FieldError | None:
    """The content of a gzip body, or what is wrong with it. None: it is larger than the limit."""
    decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        # The decoder stops at the limit.
        content = decoder.decompress(body, limit + 1)
    except zlib.error:
        return FieldError("body", "invalid_gzip", "Content-Encoding is gzip, and the body is not valid gzip.")
    if len(content) > limit:
        return None
    if not decoder.eof:
        return FieldError("body", "invalid_gzip", "The gzip body is incomplete.")
    if decoder.unused_data:
        return FieldError("body", "invalid_gzip", "The gzip body has data after its end.")
    return content


_CAUSES = {
    "Expecting property name enclosed in double quotes": "a name in double quotes is expected",
    "Illegal trailing comma before end of object": "a name in double quotes is expected",
    "Illegal trailing comma before end of array": "a value is expected",
    "Expecting ':' delimiter": "a colon is expected",
    "Expecting ',' delimiter": "a comma or a closing bracket is expected",
    "Expecting value": "a value is expected",
    "Extra data": "the JSON value has already ended",
    "Unterminated string starting at": "this text has no closing quote",
    "Invalid control character at": "a text contains a control character, such as a line break; escape it",
    "Invalid \\escape": "this is not an escape sequence",
    "Invalid \\uXXXX escape": "\\u needs four hexadecimal digits",
}
"""By the message of Python's json module, with what follows a colon left out."""

# No possessive quantifiers: Python 3.11.2, which Debian 12 has, finds wrong ends with them.
_TEXT_OR_CONSTANT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(NaN|-?Infinity)', re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(ud[89a-f][0-9a-f]{2})|.)", re.DOTALL | re.IGNORECASE
)


MAX_DEPTH = 32
"""Levels of objects and arrays that app.read_object accepts."""


class _NotJson(ValueError):
    pass


def _refuse(_: str) -> NoReturn:
    raise _NotJson


# Numbers stay text: Python's int refuses thousands of digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse)


def fault_of_json(body: bytes) -> str | None:
    """The line, the column and the cause of the first fault of this UTF-8 text, as a sentence.
    None: it is valid JSON.

    Call it after PostgreSQL has refused the body, so that a valid request costs nothing more.
    """
    text = body.decode()
    if not text.strip(" \t\r\n"):
        return "The body is empty. Send a JSON object."
    end = len(text)
    cause: str | None = None
    try:
        # decode() would skip other white space than JSON's at the end.
        start = len(text) - len(text.lstrip(" \t\r\n"))
        _, after = _DECODER.raw_decode(text, start)
        rest = text[after:].lstrip(" \t\r\n")
        if rest:
            end, cause = len(text) - len(rest), _CAUSES["Extra data"]
    except json.JSONDecodeError as error:
        end = error.pos
        if "uXXXX" in error.msg:
            end = text.rfind("\\", 0, end + 1)  # the position is after the backslash
        elif error.msg.startswith("Illegal trailing comma"):
            # Python 3.13 names the comma, and earlier versions the bracket after it.
            end = len(text) - len(text[end + 1 :].lstrip(" \t\r\n"))
        cause = _CAUSES.get(error.msg.partition(": ")[0], "a value is expected")
    except _NotJson:
        # In front of the constant, each text is closed, so that this takes linear time.
        constants = (match for match in _TEXT_OR_CONSTANT.finditer(text) if match[1])
        end, cause = next(constants).start(), "NaN and Infinity are not JSON"
    except RecursionError:
        return f"The body is nested more than {MAX_DEPTH} levels deep."
    # Python accepts half a pair. In front of the fault found so far, each backslash is in a text.
    lone = next((match for match in _ESCAPE.finditer(text, 0, end) if match[1]), None)
    if lone is not None:
        end, cause = lone.start(), "\\ud800 to \\udfff stand for a character in pairs only"
    return None if cause is None else f"The body is not valid JSON: line {position_of(text, end)}: {cause}."


def fault_of_text(body: bytes) -> FieldError | None:
    """Why this can't be sent to PostgreSQL as text."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        position = position_of(body[: error.start].decode(), len(body[: error.start].decode()))
        return FieldError("body", "not_utf8", f"The body must be UTF-8. Line {position} is not.")
    if 0 in body:
        # libpq would cut the text off there, without an error.
        position = position_of(text, text.index("\0"))
        return FieldError("body", "nul_character", f"The body has a NUL character at line {position}. Leave it out.")
    return None


def position_of(text: str, index: int) -> str:
    """The line and the column of a character, from 1 on."""
    line = text.count("\n", 0, index) + 1
    return f"{line}, column {index - text.rfind(chr(10), 0, index)}"
