"""Reading a request: its headers, its body, and the values of the route's arguments.

``parse`` returns a Call, or a Refusal that lists everything that is wrong with the request's form.
"""

import asyncio
import functools
import hashlib
import json
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from app import csv_rows
from app.server import body as bodies
from app.server import payload
from app.server.postgres import PRESENT, Timing
from app.server.problems import FieldError
from app.server.queue import Client
from app.server.routes import HEADERS, Route
from app.server.values import text as read_text

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Arguments = list[bytes | None]
"""The values of a route's arguments, in their order."""

MAX_QUERY = 16 * 1024
"""Bytes of a request's query."""
_SHORT_QUERY = 200
"""Bytes of a query that is remembered after it was read."""

_ANY = ("*/*",)
_KEY_IN_PATH = re.compile(r"(/in/+)[^/]+", re.IGNORECASE)
_KEY = re.compile(r"l[a-z]_(?:live|test)_[A-Za-z0-9_-]+|whsec_[A-Za-z0-9+/=_-]+")
"""A key, or a secret of Standard Webhooks, that a client sent in a wrong place."""
_REQUEST_ID = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # a token: RFC 9110, section 5.6.2
_TRACEPARENT = re.compile(
    rb"(?:00(?!.{54})|(?!00|ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
"""Version 00 ends after the flags. A later version may have more members."""
CSV = "text/csv"
_BOM = b"\xef\xbb\xbf"
_NO_PARAMETERS: Mapping[str, str] = {}


@dataclass(slots=True)
class Request:
    """A request's line and headers, and what becomes known about it while it is answered."""

    id: bytes
    method: str
    path: str
    shown_path: str
    """The path for the log, without a key."""
    query: bytes
    headers: dict[bytes, bytes]
    """By name in lower case. Repeated headers are joined as a list (RFC 9110, section 5.3)."""
    repeated: set[bytes]
    """The names of the repeated headers."""
    has_key_in_path: bool
    digest: bytes | None
    """SHA-256 of the API key, in hexadecimal. None: the request has no key."""
    peer: str | None
    """The IP address of the other end of the connection. None: it has none."""
    client: Client
    started: float
    """When the request began (time.perf_counter)."""
    trace_id: bytes | None
    """From a valid header traceparent. None: there is none."""
    context: bytes
    """What auth.enter gets as the request's id: the id and, after a space, the trace id."""
    route: Route | None = None
    """The route that answers it, as soon as that is known."""
    timing: Timing = field(default_factory=Timing)
    span: object = None
    """The span of OpenTelemetry. None: there is none."""
    is_counted: bool = False
    """Whether it has taken a token of its key's rate limit."""
    added_headers: tuple[tuple[bytes, bytes], ...] = ()
    """Headers that its response has in addition, whatever its status."""
    unannounced: tuple[bytes, bytes] | None = None
    """The ids of the organization and of the new key that the response shows, if it must wait until the
    router of the cells knows the key.
    """
    positions: tuple[bytes, ...] = ()
    """The positions that the answer must include."""
    position: bytes | None = None
    """The position behind a write. None: it has none."""
    replica: str | None = None
    """The replica that has answered it. None: the primary has, or nobody yet."""

    def trace(self, trace_id: bytes) -> None:
        """Makes it a part of this trace."""
        self.trace_id = trace_id
        self.context = b"%b %b" % (self.id, trace_id)


@dataclass(slots=True)
class Call:
    """A request of the right form."""

    arguments: Arguments
    parameters: Mapping[str, str]
    """The query's parameters."""


@dataclass(slots=True)
class Refusal:
    """A request of the wrong form. The response says so only after PostgreSQL has accepted the
    caller's key.
    """

    word: str | None = None
    """The problem's word. None: the word depends on all errors,
    including those that PostgreSQL finds.
    """
    detail: str | None = None
    """What the problem says instead of its usual detail."""
    headers: Sequence[tuple[bytes, bytes]] = ()
    """Headers that the problem has in addition."""
    errors: Sequence[FieldError] = ()
    arguments: Sequence[bytes | None] = ()
    """What could be read. PostgreSQL checks it too, so that one response lists all errors."""


def read_request(scope: Scope) -> Request:
    """The request of an ASGI scope. Its id is the caller's X-Request-Id if that is a token of up
    to 64, else new.
    """
    headers: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    for name, value in scope["headers"]:
        if name in headers:
            repeated.add(name)
            value = headers[name] + b", " + value
        headers[name] = value
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    id = headers.get(b"x-request-id", b"")
    if not _REQUEST_ID.fullmatch(id) or _KEY.search(id.decode()):
        id = os.urandom(16).hex().encode()
    peer = scope.get("client")
    parent = headers.get(b"traceparent")
    trace_id = None if parent is None else read_trace_id(parent)
    return Request(
        id=id,
        method=scope["method"],
        path=scope["path"],
        shown_path=_without_keys(scope["path"]),
        query=scope["query_string"],
        headers=headers,
        repeated=repeated,
        has_key_in_path=False,
        digest=_digest(key.strip()) if key and scheme.lower() == b"bearer" else None,
        peer=peer[0] if peer else None,
        client=scope.get("leads.client", PRESENT),
        started=time.perf_counter(),
        trace_id=trace_id,
        context=id if trace_id is None else b"%b %b" % (id, trace_id),
    )


def read_trace_id(parent: bytes) -> bytes | None:
    """The trace id of a header traceparent (W3C Trace Context, section 3.2). None: it is invalid,
    and is ignored.
    """
    match = _TRACEPARENT.fullmatch(parent)
    return None if match is None else match[1]


def take_key(request: Request, key: str) -> None:
    """Takes the key from the path."""
    request.digest = _digest(key.encode())
    request.has_key_in_path = True


async def read_payload(request: Request, route: Route, receive: Receive) -> bytes | Refusal:
    """The request's body of any media type, as text in UTF-8, or the refusal of its size or coding.
    Sets the header Content-Type if the body has another type.

    Raises asyncio.IncompleteReadError if the client has disconnected.
    """
    content_type = request.headers.get(b"content-type", b"").decode("latin-1")
    media_type = _media_type(request)
    codings = bodies.codings(request.headers.get(b"content-encoding", b"").decode("latin-1"))
    if media_type == payload.MULTIPART and not codings:
        try:
            chunks = _chunks(receive)
            return (await payload.read_multipart(content_type, chunks, route.max_body_bytes)).encode()
        except payload.TooLarge:
            return _too_large(route)
    body = await read_body(request, route, receive)
    if isinstance(body, Refusal):
        return body
    if payload.is_form(body, media_type):
        request.headers[b"content-type"] = payload.FORM.encode()
        return payload.read_form(body).encode()
    if media_type == payload.FORM:
        request.headers[b"content-type"] = b"text/plain"
    return payload.text_of(body).encode()


async def read_body(request: Request, route: Route, receive: Receive) -> bytes | Refusal:
    """The request's body, or the refusal of its size or type.

    Raises asyncio.IncompleteReadError if the client has disconnected.
    """
    length = request.headers.get(b"content-length", b"0")
    body = bytearray()
    more = int(length) <= route.max_body_bytes if length.isdigit() else True
    is_large = not more
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise asyncio.IncompleteReadError(bytes(body), None)
        body += message.get("body", b"")
        is_large = len(body) > route.max_body_bytes
        more = message.get("more_body", False) and not is_large
    if is_large:
        return _too_large(route)
    if not body and not route.needs_body:
        return b""
    encoding = request.headers.get(b"content-encoding")
    codings = [] if encoding is None else bodies.codings(encoding.decode("latin-1"))
    if refusal := _refusal_of_type(request, route.media_types, codings):
        return refusal
    content = bytes(body)
    if codings:
        unzipped = bodies.unzip(content, route.max_body_bytes)
        if unzipped is None:
            return _too_large(route)
        if isinstance(unzipped, FieldError):
            return Refusal(errors=[unzipped])
        content = unzipped
    content = content.removeprefix(_BOM)  # RFC 8259, section 8.1
    if CSV in route.media_types and _media_type(request) == CSV and bodies.fault_of_text(content) is None:
        # In a thread of its own: 16 MiB take about a second.
        return await asyncio.to_thread(_json_of_csv, content, route)
    return content


def most_bytes(request: Request, route: Route) -> int:
    """The most bytes that the body can have: those of Content-Length, or as many as the route takes."""
    length = request.headers.get(b"content-length", b"0")
    if b"transfer-encoding" in request.headers or b"content-encoding" in request.headers or not length.isdigit():
        return route.max_body_bytes
    return int(length)


def parse(
    request: Request,
    route: Route,
    path_parameters: Mapping[str, str],
    body: bytes | None,
    client_address: bytes | None = None,
) -> Call | Refusal:
    """The values of the route's arguments, each of a form that PostgreSQL can cast;
    or everything that is wrong.
    """
    errors: list[FieldError] = []
    if body is not None and (error := bodies.fault_of_text(body)):
        errors.append(error)
        body = None
    parameters = _NO_PARAMETERS
    if request.query and "query_fields" not in route.names:
        read = _read_query_again if len(request.query) <= _SHORT_QUERY else _read_query
        parameters, wrong = read(request.query, route.query_names, route.list_names)
        errors += wrong
    arguments: Arguments = []
    for argument in route.arguments:
        name = argument.name
        value: bytes | None = argument.default
        if name in ("body", "payload"):
            # Without a default, the function reports an empty body.
            if body or value is None:
                value = body
        elif name == "media_type":
            value = _media_type(request).encode()
        elif name == "request_headers":
            value = _headers_as_json(request)
        elif name == "client_address":
            value = client_address
        elif name == "query_fields":
            value = payload.read_form(request.query[:MAX_QUERY]).encode() if request.query else None
        elif name in path_parameters:
            # An id of the wrong form is a typing error: the function is called without an id and
            # finds no record.
            text = argument.read(path_parameters[name], name)
            value = text.encode() if isinstance(text, str) else None
            if argument.read is read_text:
                if isinstance(text, FieldError):
                    errors.append(text)
                elif "\N{REPLACEMENT CHARACTER}" in text:
                    # It stands for bytes that are not UTF-8: two texts would become the same.
                    errors.append(FieldError(name, "not_utf8", "The path must be UTF-8, with percent-encoding."))
        elif name in HEADERS:
            header = HEADERS[name].lower().encode()
            value = request.headers.get(header)
            if value is not None:
                # Bytes beyond ASCII are Latin-1 (RFC 9110, section 5.5).
                value = value.decode("latin-1").encode()
            if header in request.repeated and name != "if_match":
                errors.append(FieldError(HEADERS[name], "repeated_header", "This header is repeated. Send it once."))
        elif name == "cursor" and parameters.get(name) == "":
            pass  # the first page
        elif name in parameters:
            text = argument.read(parameters[name], name)
            if isinstance(text, str):
                value = text.encode()
            else:
                errors.append(text)
        arguments.append(value)
    if errors:
        return Refusal(errors=errors, arguments=arguments)
    return Call(arguments, parameters)


def _json_of_csv(content: bytes, route: Route) -> bytes | Refusal:
    try:
        array = csv_rows.array(content.decode(), 2 * route.max_body_bytes)
    except csv_rows.CsvError as error:
        return Refusal(errors=[FieldError("body", "invalid_csv", str(error))])
    return _too_large(route) if array is None else array.encode()


def _without_keys(path: str) -> str:
    """The path for the log."""
    return path if "/in/" not in path.lower() and "_" not in path else _KEY.sub("***", _KEY_IN_PATH.sub(r"\1***", path))


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).hexdigest().encode()


def _media_type(request: Request) -> str:
    """The media type of the body, in lower case and without parameters. Empty: it has none."""
    return request.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def _headers_as_json(request: Request) -> bytes:
    """All headers, except credentials."""
    headers = {
        name.decode("latin-1"): payload.text_of(value)
        for name, value in request.headers.items()
        if name not in (b"authorization", b"cookie")
    }
    return json.dumps(headers, ensure_ascii=False).encode()


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The parts of the body. Raises asyncio.IncompleteReadError if the client has disconnected."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise asyncio.IncompleteReadError(b"", None)
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _too_large(route: Route) -> Refusal:
    kib = route.max_body_bytes // 1024
    size = f"{kib} KiB" if kib < 1024 else f"{kib // 1024} MiB"
    return Refusal("payload_too_large", f"The body is larger than {size}, compressed or not. Send a smaller one.")


def _refusal_of_type(request: Request, types: tuple[str, ...], codings: list[str]) -> Refusal | None:
    """The refusal of a body's media type, charset or coding."""
    content_type = request.headers.get(b"content-type", b"")
    if types == _ANY:
        pass
    elif content_type != b"application/json" or content_type.decode() not in types:
        text = content_type.decode("latin-1")
        if not bodies.is_of_type(text, types):
            detail = f"Send the body as {' or '.join(types)}."
            return Refusal("unsupported_media_type", detail, [(b"accept", ", ".join(types).encode())])
        if not bodies.is_utf8(text):
            return Refusal("unsupported_media_type", "The charset of the body must be UTF-8. Send it as UTF-8.")
    if codings not in ([], ["gzip"]):
        detail = "Content-Encoding can be gzip, once, or identity. Send the body in one of them."
        return Refusal("unsupported_media_type", detail, [(b"accept-encoding", b"gzip, identity")])
    return None


def _read_query(
    query: bytes, names: tuple[str, ...], list_names: frozenset[str]
) -> tuple[Mapping[str, str], Sequence[FieldError]]:
    """The parameters that the route takes, and the errors: the unknown parameters, and repeated ones
    that are no lists, once for each name.
    """
    parameters: dict[str, str] = {}
    if len(query) > MAX_QUERY:
        detail = f"The query has at most {MAX_QUERY // 1024} KiB. Ask for less."
        return parameters, [FieldError("query", "too_long", detail)]
    errors: list[FieldError] = []
    wrong_names: set[str] = set()
    for part in query.split(b"&"):
        raw_name, _, raw_value = part.replace(b"+", b" ").partition(b"=")
        name = raw_name.decode("latin-1")
        try:
            name = unquote_to_bytes(raw_name).decode()
            value = unquote_to_bytes(raw_value).decode()
        except UnicodeDecodeError:
            code, detail = "not_utf8", "The query must be UTF-8, with percent-encoding."
        else:
            if not part:
                continue
            if name in parameters:
                if name in list_names:
                    # Many clients send a list like this. It means the same as commas.
                    parameters[name] += "," + value
                    continue
                code, detail = "repeated_parameter", "This parameter is repeated. Send it once."
            elif name in names:
                parameters[name] = value
                continue
            else:
                known = ", ".join(names)
                code = "unknown_parameter"
                detail = f"There is no such parameter here. {f'Known are {known}' if known else 'Leave it out'}."
        if name not in wrong_names:
            wrong_names.add(name)
            errors.append(FieldError(name[:100], code, detail))
    return parameters, errors


_read_query_again = functools.lru_cache(1000)(_read_query)
"""Remembers short queries, because most clients repeat theirs."""
