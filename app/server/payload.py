"""Reading a body of any media type: the body of a form as a JSON array of its fields, and every other
body as it is.

A field is ``{"name": …, "value": …}``. A file of a multipart form is ``{"name": …, "file": …}``: its
name is kept and its content is not, so that a form with a photo needs no memory for it. A multipart
body that breaks off or is malformed ends with ``{"fault": "malformed", "text": …}``, which has the
beginning of the body.
"""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MAX_MULTIPART = 16 * 1024 * 1024
"""Bytes of a multipart body with its files."""
MAX_FIELDS = 1000
"""Fields of a form. A body with more of them stays text."""
_FORM = re.compile(rb"[^\s={\[\"<]+=")
"""How an urlencoded form begins."""

Field = dict[str, str]


class TooLarge(Exception):
    """The body, without the content of files, is larger than the route accepts."""


def text_of(data: bytes) -> str:
    """The text of these bytes. Old pages send Windows-1252, the superset of Latin-1, and don't say so."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    # PostgreSQL's texts can't have it.
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def is_form(body: bytes, media_type: str) -> bool:
    """Whether the body is an urlencoded form. Some senders call JSON a form, or a form something else."""
    if body.count(b"&") >= MAX_FIELDS or body.lstrip()[:1] == b"{":
        return False
    return media_type == FORM or ("json" not in media_type and _FORM.match(body) is not None)


def read_form(body: bytes) -> str:
    """The fields of an urlencoded form, as JSON."""
    fields = []
    for part in body.split(b"&"):
        if part:
            name, _, value = part.replace(b"+", b" ").partition(b"=")
            fields.append({"name": text_of(unquote_to_bytes(name)), "value": text_of(unquote_to_bytes(value))})
    return json.dumps(fields, ensure_ascii=False)


async def read_multipart(content_type: str, chunks: AsyncIterator[bytes], limit: int) -> str:
    """The fields of a multipart form, as JSON. limit: bytes of the fields, without files.

    Raises TooLarge.
    """
    fields = _Fields(limit)
    size = 0
    beginning = bytearray()
    parser: MultipartParser | None = None
    # Without a boundary, the body is read to its end nevertheless.
    with contextlib.suppress(FormParserError):
        parser = fields.parser(parse_options_header(content_type)[1].get(b"boundary", b""))
    async for chunk in chunks:
        size += len(chunk)
        if size > MAX_MULTIPART:
            raise TooLarge
        beginning += chunk[: limit - len(beginning)]
        if parser is not None:
            try:
                parser.write(chunk)
            except FormParserError:
                parser = None
    if parser is None or not fields.is_complete:
        fields.end_early()
        return json.dumps([*fields.read, {"fault": "malformed", "text": text_of(bytes(beginning))}], ensure_ascii=False)
    return json.dumps(fields.read, ensure_ascii=False)


class _Fields:
    """The callbacks of the parser."""

    def __init__(self, limit: int) -> None:
        self.read: list[Field] = []
        self.is_complete = False
        self._left = limit
        self._header = self._value = b""
        self._name: str | None = None
        self._file: str | None = None
        self._content = bytearray()
        self._parts = 0
        self._is_open = False

    def parser(self, boundary: bytes) -> MultipartParser:
        """A parser that fills the fields. Raises FormParserError if the boundary is unusable."""
        if not boundary:
            raise FormParserError("no boundary")
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_to_header,
                "on_header_value": self._add_to_value,
                "on_header_end": self._end_header,
                "on_part_data": self._add,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def end_early(self) -> None:
        """Keeps what has arrived of the field that the body breaks off in."""
        if not self.is_complete and self._is_open:
            self._end_part()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise FormParserError("too many parts")
        self._is_open = True
        self._name = self._file = None
        self._content.clear()

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._header += self._kept(data[start:end])

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._kept(data[start:end])

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            options = parse_options_header(self._value)[1]
            if b"name" in options:
                self._name = text_of(options[b"name"])
            if b"filename" in options:
                self._file = text_of(options[b"filename"])
        self._header = self._value = b""

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._content += self._kept(data[start:end])

    def _end_part(self) -> None:
        self._is_open = False
        if self._name is None:
            return
        if self._file is None:
            self.read.append({"name": self._name, "value": text_of(bytes(self._content))})
        # A browser sends a file without a name if none was chosen.
        elif self._file:
            self.read.append({"name": self._name, "file": self._file})

    def _end(self) -> None:
        self.is_complete = True

    def _kept(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge
        return data
