"""Bodies of forms become a JSON array of their fields."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.server.payload import FORM, MAX_FIELDS, MAX_MULTIPART, TooLarge, is_form, read_form, read_multipart, text_of

TYPE = "multipart/form-data; boundary=b"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def fields(body: bytes, content_type: str = TYPE, limit: int = 100, size: int = 7) -> Any:
    """The fields of a body that arrives in pieces."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return json.loads(asyncio.run(read_multipart(content_type, chunks(*parts), limit)))


def part(head: str, content: bytes) -> bytes:
    return f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"


def test_an_urlencoded_form() -> None:
    assert json.loads(read_form(b"a=1&a=2&b&=x&&c=%E2%82%AC+%80%00&d=%u")) == [
        {"name": "a", "value": "1"},
        {"name": "a", "value": "2"},
        {"name": "b", "value": ""},
        {"name": "", "value": "x"},
        {"name": "c", "value": "â‚¬ €\N{REPLACEMENT CHARACTER}"},
        {"name": "d", "value": "%u"},
    ]
    assert json.loads(read_form(b"")) == []


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_multipart_form_in_pieces(size: int) -> None:
    body = (
        part('name="a"', b"1\r\n2")
        + part('name="photo"; filename="roof.jpg"', b"x" * 1000)
        + part('name="none"; filename=""', b"")
        + part('NAME="\xc3\xa4"'.encode("latin-1").decode(), "ü".encode())
        + b'--b\r\nX: y\r\n\r\nno name\r\n--b--\r\nepilogue'
    )  # fmt: skip
    assert fields(body, limit=1000, size=size) == [
        {"name": "a", "value": "1\r\n2"},
        {"name": "photo", "file": "roof.jpg"},
        {"name": "ä", "value": "ü"},
    ]


@pytest.mark.parametrize(
    "body", [b"", b"x", b"--b", part('name="a"', b"1"), part('name="a"', b"1")[:-3], b"--b\r\nno colon\r\n"]
)
def test_what_breaks_off_says_so_after_its_fields(body: bytes) -> None:
    read = fields(body)
    assert read[-1] == {"fault": "malformed", "text": body.decode()}
    assert all(field in ({"name": "a", "value": "1"}, {"name": "a", "value": ""}) for field in read[:-1])
    assert len(read) == 1 + body.count(b"\r\n\r\n")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_boundary_is_needed(content_type: str) -> None:
    assert fields(part('name="a"', b"1"), content_type) == [
        {"fault": "malformed", "text": part('name="a"', b"1").decode()}
    ]


def test_the_fields_are_limited_and_files_are_not() -> None:
    file = part('name="f"; filename="x"', b"x" * 100_000)
    assert fields(file + part('name="a"', b"1") + b"--b--", limit=200, size=5000)[-1] == {"name": "a", "value": "1"}
    with pytest.raises(TooLarge):
        fields(part('name="a"', b"x" * 200) + b"--b--", limit=200)
    with pytest.raises(TooLarge):
        fields(b"--b\r\nX-Header: " + b"y" * 300, limit=200)
    with pytest.raises(TooLarge):
        fields(part('name="f"; filename="x"', b"x" * MAX_MULTIPART), size=1 << 20)


def test_text() -> None:
    assert text_of("é€".encode()) == "é€"
    assert text_of(b"\xe9 \x81") == "é \N{REPLACEMENT CHARACTER}"
    assert text_of(b"a\0b") == "a\N{REPLACEMENT CHARACTER}b"


def test_too_many_parts() -> None:
    read = fields(part('name="a"', b"") * (MAX_FIELDS + 1), limit=200_000, size=5000)
    assert len(read) == MAX_FIELDS + 1
    assert read[-1]["fault"] == "malformed"


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (b"a=1", FORM, True),
        (b"", FORM, True),
        (b' {"a": "b=c"}', FORM, False),
        (b"a=1&b=2", "text/plain", True),
        (b"a=1", "", True),
        (b"hello", "text/plain", False),
        (b"hello a=1", "text/plain", False),
        (b'["a=1"]', "text/plain", False),
        (b"a=1", "application/json", False),
        (b"a&" * MAX_FIELDS, FORM, False),
    ],
)
def test_what_is_a_form(body: bytes, media_type: str, expected: bool) -> None:
    assert is_form(body, media_type) is expected
