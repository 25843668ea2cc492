"""Bodies: media types, gzip, and where the text is not JSON."""

import gzip
import random
import zlib

import pytest

from app.server import body
from app.server.problems import FieldError

TYPES = ("application/json",)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        " Application/JSON ",
        "application/json;charset=utf-8;",
        "application/json; charset=UTF-8",
        'application/json;charset="utf-8"',
        'application/json ; charset="ut\\f-8"',
        "application/json;;; ;charset=us-ascii;;",
        "application/json;\tv=1; odata.metadata=minimal",
        'application/json; profile="a;b, \\"c\\""; charset=utf8',
        "application/json;",
    ],
)
def test_a_media_type_may_have_any_parameters(content_type: str) -> None:
    assert body.is_of_type(content_type, TYPES)
    assert body.is_utf8(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/jsonx",
        "application/json, application/json",
        "application/json charset=utf-8",
        "application/json; charset",
        "application/json; charset =utf-8",
        'application/json; a="b',
        'application/json; a="b"c',
        "application/json; a=b c",
    ],
)
def test_another_or_malformed_media_type_is_refused(content_type: str) -> None:
    assert not body.is_of_type(content_type, TYPES)


@pytest.mark.parametrize("charset", ["utf-16", "latin1", '"iso-8859-1"', "utf-8;charset=utf-16"])
def test_another_charset_is_refused(charset: str) -> None:
    assert body.is_of_type(f"application/json;charset={charset}", TYPES)
    assert not body.is_utf8(f"application/json;charset={charset}")


def test_codings_are_listed_without_identity() -> None:
    assert body.codings("identity") == body.codings(" , ") == []
    assert body.codings("GZIP") == body.codings("x-gzip, identity") == ["gzip"]
    assert body.codings("gzip,br") == ["gzip", "br"]


def test_gzip_is_decoded_up_to_the_limit() -> None:
    assert body.unzip(gzip.compress(b"a" * 1000), 1000) == b"a" * 1000
    assert body.unzip(gzip.compress(b""), 1000) == b""
    assert body.unzip(gzip.compress(b"a" * 1001), 1000) is None
    assert body.unzip(gzip.compress(random.Random(1).randbytes(5000)), 5000) is not None


# Without the time of day, which would be a part of the tests' ids. pytest-xdist needs the same ids everywhere.
_GZIP = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "incomplete"),
        (b"{}", "not valid gzip"),
        (zlib.compress(b"{}"), "not valid gzip"),
        (_GZIP[:-1], "incomplete"),
        (_GZIP[:-8] + b"\0" * 8, "not valid gzip"),
        (_GZIP + b"x", "after its end"),
        (_GZIP * 2, "after its end"),
    ],
)
def test_what_is_not_one_gzip_file_is_refused(data: bytes, detail: str) -> None:
    fault = body.unzip(data, 1000)
    assert isinstance(fault, FieldError)
    assert fault.code == "invalid_gzip"
    assert detail in fault.detail


def test_a_bomb_is_decoded_only_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    decompressobj = zlib.decompressobj

    class Recording:
        def __init__(self, wbits: int) -> None:
            self.decoder = decompressobj(wbits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            content = self.decoder.decompress(data, limit)
            asked.append((limit, len(content)))
            return content

    monkeypatch.setattr(zlib, "decompressobj", Recording)
    assert body.unzip(gzip.compress(b"\0" * 50_000_000), 65536) is None
    assert asked == [(65537, 65537)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "The body is empty. Send a JSON object."),
        (" \r\n\t", "The body is empty. Send a JSON object."),
        ("{", "line 1, column 2: a name in double quotes is expected"),
        ('{"a":}', "line 1, column 6: a value is expected"),
        ('{"a":1,}', "line 1, column 8: a name in double quotes is expected"),
        ('{"a":1 ,\n }', "line 2, column 2: a name in double quotes is expected"),
        ('{\n  "é" tru\n}', "line 2, column 7: a colon is expected"),
        ('{"a":1 "b":2}', "line 1, column 8: a comma or a closing bracket is expected"),
        ("{}\n\n x", "line 3, column 2: the JSON value has already ended"),
        ('{"a":"x', "line 1, column 6: this text has no closing quote"),
        ('{"a":"x\ny"}', "line 1, column 8: a text contains a control character"),
        ('{"a":"\\x"}', "line 1, column 7: this is not an escape sequence"),
        ('{"a":"\\u12"}', "line 1, column 7: \\u needs four hexadecimal digits"),
        ('{"a":"NaN",\n"b":-Infinity}', "line 2, column 5: NaN and Infinity are not JSON"),
        ('{"a":"\\u00e9\\ud800"}', "line 1, column 13: \\ud800 to \\udfff stand for a character in pairs only"),
        ('{"a":"\\udc00"}', "line 1, column 7: \\ud800 to \\udfff stand for a character in pairs only"),
        ("\u00a0{}", "line 1, column 1: a value is expected"),
        ("{'a':1}", "line 1, column 2: a name in double quotes is expected"),
    ],
)
def test_a_fault_of_json_has_its_place_and_cause(text: str, fault: str) -> None:
    assert fault in (body.fault_of_json(text.encode()) or "")


@pytest.mark.parametrize("text", ["{}", '{"a":"\\ud83d\\ude00 \\\\ud800 NaN"}', "[" + "9" * 5000 + "]", "1e400000"])
def test_valid_json_has_no_fault(text: str) -> None:
    assert body.fault_of_json(text.encode()) is None


def test_deep_nesting_is_no_bug() -> None:
    assert "nested" in (body.fault_of_json(b"[" * 60_000) or "")


def test_a_fault_of_the_text_has_its_place() -> None:
    assert body.fault_of_text(b"{}") is None
    for data, code in ((b'{\n"\xc3\xa9\xff"}', "not_utf8"), (b'{\n"\xc3\xa9\0"}', "nul_character")):
        fault = body.fault_of_text(data)
        assert fault is not None
        assert fault.code == code
        assert "ine 2, column 3" in fault.detail
