"""Parsing: a call, or a refusal that lists every error of form,
in the order in which they are found.
"""

import asyncio
from collections.abc import Mapping

import pytest

from app.server import values
from app.server.postgres import Statement
from app.server.request import (
    MAX_QUERY,
    Call,
    Receive,
    Refusal,
    Request,
    Scope,
    parse,
    read_body,
    read_request,
)
from app.server.routes import Argument, Route

ROUTE = Route(
    "PATCH",
    "/leads/{id}",
    b"write",
    False,
    (
        Argument("id", "uuid", True, None, values.uuid),
        Argument("body", "text", False, None, values.text),
        Argument("limit", "integer", False, b"50", values.integer),
        Argument("idempotency_key", "text", False, None, values.text),
        Argument("tags", "text[]", False, None, values.text_list),
        Argument("cursor", "text", False, None, values.text),
    ),
    Statement(b"s", b"select 1"),
    media_types=("application/json", "application/merge-patch+json"),
)
ID = "9F1C8A32-4D65-4E2B-8A91-3C0E7D4B2F18"


def request(query: bytes = b"", *headers: tuple[bytes, bytes]) -> Request:
    return read_request({"method": "PATCH", "path": "/leads/x", "query_string": query, "headers": headers})


def errors(parsed: Call | Refusal) -> list[tuple[str, str]]:
    assert isinstance(parsed, Refusal)
    assert parsed.word is None
    return [(error.field, error.code) for error in parsed.errors]


def test_a_call_has_the_arguments_in_their_order_and_the_query() -> None:
    parsed = parse(request(b"limit=7", (b"idempotency-key", b"k\xe9")), ROUTE, {"id": ID}, b"{}")
    assert isinstance(parsed, Call)
    assert parsed.arguments == [ID.lower().encode(), b"{}", b"7", "ké".encode(), None, None]
    assert parsed.parameters == {"limit": "7"}


def test_a_default_fills_in_and_a_malformed_id_is_no_error() -> None:
    parsed = parse(request(), ROUTE, {"id": "x"}, b"")
    assert parsed == Call([None, b"", b"50", None, None, None], {})


def test_a_list_is_repeated_or_separated_by_commas() -> None:
    for query in (b"tags=a&tags=b,c", b"tags=a,b&limit=7&tags=c", b"t%61gs=a%2Cb%2cc"):
        parsed = parse(request(query), ROUTE, {}, b"")
        assert isinstance(parsed, Call)
        assert parsed.arguments[4] == b'{"a","b","c"}'
        assert parsed.parameters["tags"] == "a,b,c"


def test_an_empty_cursor_is_the_first_page() -> None:
    parsed = parse(request(b"cursor="), ROUTE, {}, b"")
    assert isinstance(parsed, Call)
    assert parsed.arguments[5] is None


def test_one_response_lists_all_errors_the_bodys_first() -> None:
    twice = ((b"idempotency-key", b"a"), (b"idempotency-key", b"b"))
    parsed = parse(request(b"limit=x&no=1&no=2&limit=1", *twice), ROUTE, {"id": ID}, b"\xff")
    assert errors(parsed) == [
        ("body", "not_utf8"),
        ("no", "unknown_parameter"),
        ("limit", "repeated_parameter"),
        ("limit", "invalid_integer"),
        ("Idempotency-Key", "repeated_header"),
    ]
    # What could be read goes to PostgreSQL, which checks it too.
    assert isinstance(parsed, Refusal)
    assert parsed.arguments == [ID.lower().encode(), None, b"50", b"a, b", None, None]


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        (b"", b"a\0", ("body", "nul_character")),
        (b"a=%ff", b"", ("a", "not_utf8")),
        (b"a=" + b"b" * MAX_QUERY, b"", ("query", "too_long")),
        (b"limit=", b"", ("limit", "empty_value")),
    ],
)
def test_each_error_names_its_field(query: bytes, body: bytes, expected: tuple[str, str]) -> None:
    assert errors(parse(request(query), ROUTE, {}, body)) == [expected]


def body_of(headers: Mapping[bytes, bytes], *parts: bytes) -> bytes | Refusal:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Scope:
        return messages.pop(0)

    reader: Receive = receive
    return asyncio.run(read_body(request(b"", *headers.items()), ROUTE, reader))


def test_a_body_is_read_whole_or_refused_by_its_size_before_its_type() -> None:
    json = {b"content-type": b"application/json; charset=utf-8"}
    assert body_of(json, b"{", b"}") == b"{}"
    refusal = body_of({}, b"{}")
    assert isinstance(refusal, Refusal)
    assert refusal.word == "unsupported_media_type"
    assert refusal.detail == "Send the body as application/json or application/merge-patch+json."
    assert refusal.headers == [(b"accept", b"application/json, application/merge-patch+json")]
    assert body_of(json, b"\xef\xbb\xbf\xef\xbb\xbf{}") == b"\xef\xbb\xbf{}"
    limit = ROUTE.max_body_bytes
    too_large = Refusal("payload_too_large", "The body is larger than 64 KiB, compressed or not. Send a smaller one.")
    assert body_of({}, b"x" * limit, b"x") == too_large
    assert body_of({b"content-length": b"%d" % (limit + 1)}) == too_large


def test_a_client_that_disconnects_has_no_body() -> None:
    async def receive() -> Scope:
        return {"type": "http.disconnect"}

    with pytest.raises(asyncio.IncompleteReadError):
        asyncio.run(read_body(request(), ROUTE, receive))


@pytest.mark.parametrize(
    ("parent", "is_valid"),
    [
        ("00-{t}-{s}-01", True),
        ("00-{t}-{s}-00", True),
        ("00-{t}-{s}-ff", True),
        ("00-{t}-{s}-01-", False),
        ("00-{t}-{s}-01-more", False),
        ("01-{t}-{s}-01", True),
        ("01-{t}-{s}-01-more", True),
        ("01-{t}-{s}-01more", False),
        ("fe-{t}-{s}-01-", True),
        ("ff-{t}-{s}-01", False),
        ("0-{t}-{s}-01", False),
        ("000-{t}-{s}-01", False),
        ("00-00000000000000000000000000000000-{s}-01", False),
        ("00-{t}-0000000000000000-01", False),
        ("00-{t}0-{s}-01", False),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-{s}-01", False),
        ("00-{t}-00F067AA0BA902B7-01", False),
        ("00-{t}-{s}-0A", False),
        ("0A-{t}-{s}-01", False),
        ("00-{t}-{s}", False),
        ("00-{t}-{s}-1", False),
        ("00-{t}-{s}-xx", False),
        ("00_{t}_{s}_01", False),
        ("00-{t}-{s}-01, 00-{t}-{s}-01", False),
        ("01-{t}-{s}-01, 01-{t}-{s}-01", False),
        (" 00-{t}-{s}-01", False),
        ("", False),
    ],
)
def test_a_trace_id_comes_from_a_valid_traceparent_only(parent: str, is_valid: bool) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    read = request(
        b"", (b"traceparent", parent.format(t=trace, s="00f067aa0ba902b7").encode()), (b"x-request-id", b"a")
    )
    assert read.trace_id == (trace.encode() if is_valid else None)
    assert read.context == (b"a " + trace.encode() if is_valid else b"a")


def test_a_repeated_traceparent_is_ignored() -> None:
    parent = b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert request(b"", parent, parent).trace_id is None
    assert request(b"").trace_id is None
