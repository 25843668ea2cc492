"""A request as it came: its id and its claim, its body, its query, and the arguments that they make.

What is wrong with it is gathered, not raised: an answer names all faults at once.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from app.server import values
from app.server.problems import Fault
from app.server.routes import HEADERS, Route

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Values = list[bytes | None]

MAX_BODY = 64 * 1024
"""Octets of a request's body."""
MAX_QUERY = 16 * 1024
"""Octets of a request's query."""

_REQUEST_ID = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # a token: RFC 9110, section 5.6.2
_UTF8 = re.compile(r'\s*(?:charset\s*=\s*"?utf-?8"?)?\s*')
_PATCH_TYPES = ("application/json", "application/merge-patch+json")


@dataclass
class Request:
    """A request as far as it has been read."""

    id: bytes
    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    """By name in lower case; of several, joined as a list (RFC 9110, section 5.3)."""
    repeated: set[bytes]
    digest: bytes | None
    """SHA-256 of the key, in hexadecimal: the claim. None: there is no key."""
    parameters: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add_fault(self, name: str, code: str, detail: str) -> None:
        """Adds an entry for ``errors``."""
        self.faults.append({"field": name, "code": code, "detail": detail})


def read_request(scope: Scope) -> Request:
    """The request of an ASGI scope. Its id is the caller's, if that is a token of up to 64, else a new one."""
    headers: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    for name, value in scope["headers"]:
        if name in headers:
            repeated.add(name)
            value = headers[name] + b", " + value
        headers[name] = value
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    id = headers.get(b"x-request-id", b"")
    return Request(
        id=id if _REQUEST_ID.fullmatch(id) else os.urandom(16).hex().encode(),
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        headers=headers,
        repeated=repeated,
        digest=hashlib.sha256(key.strip()).hexdigest().encode() if key and scheme.lower() == b"bearer" else None,
    )


async def read_body(request: Request, receive: Receive) -> tuple[str | None, bytes | None]:
    """The word of what it is refused for, or the body; None for both where it has faults that no text could carry.

    Raises asyncio.IncompleteReadError where the client is gone.
    """
    length = request.headers.get(b"content-length", b"0")
    body = bytearray()
    more = int(length) <= MAX_BODY if length.isdigit() else True
    is_large = not more
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise asyncio.IncompleteReadError(bytes(body), None)
        body += message.get("body", b"")
        is_large = len(body) > MAX_BODY
        more = message.get("more_body", False) and not is_large
    if is_large:
        return "payload_too_large", None
    if not _is_json(request):
        return "unsupported_media_type", None
    try:
        body.decode()
    except UnicodeDecodeError:
        request.add_fault("body", "not_utf8", "The body must be UTF-8.")
        return None, None
    if 0 in body:
        # libpq would end the text there, silently.
        request.add_fault("body", "nul_character", "The body has a NUL character. Leave it out.")
        return None, None
    return None, bytes(body)


def _is_json(request: Request) -> bool:
    content_type = request.headers.get(b"content-type", b"").decode("latin-1").lower()
    media_type, _, parameters = content_type.partition(";")
    return (
        media_type.strip() in (_PATCH_TYPES if request.method == "PATCH" else _PATCH_TYPES[:1])
        and _UTF8.fullmatch(parameters) is not None
        and request.headers.get(b"content-encoding", b"identity").lower() == b"identity"
    )


def read_query(request: Request, route: Route) -> None:
    """Reads the parameters that the route takes; any other, and a repeated one, is a fault, once for each name."""
    if len(request.query) > MAX_QUERY:
        request.add_fault("query", "too_long", f"The query has at most {MAX_QUERY // 1024} KiB. Ask for less.")
        return
    at_fault: set[str] = set()
    for part in request.query.split(b"&"):
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
            if name in request.parameters:
                code, detail = "repeated_parameter", "This is given more than once. Give it once."
            elif name in route.query_names:
                request.parameters[name] = value
                continue
            else:
                known = ", ".join(route.query_names)
                code = "unknown_parameter"
                detail = f"There is no such parameter here. {f'Known are {known}' if known else 'Leave it out'}."
        if name not in at_fault:
            at_fault.add(name)
            request.add_fault(name[:100], code, detail)


def read_arguments(request: Request, route: Route, in_path: dict[str, str], body: bytes | None) -> Values:
    """The values of the route's arguments, as PostgreSQL casts them; what it wouldn't cast is a fault."""
    given: Values = []
    for argument in route.arguments:
        name = argument.name
        value: bytes | None = argument.default
        if name == "body":
            value = body
        elif name in in_path:
            # An id that is none is somebody's typing error: the function finds no record of it.
            try:
                value = argument.read(in_path[name]).encode()
            except values.Fault:
                value = None
        elif name in HEADERS:
            header = HEADERS[name].lower().encode()
            value = request.headers.get(header)
            if value is not None:
                # Octets beyond ASCII stay what they are: Latin-1 (RFC 9110, section 5.5).
                value = value.decode("latin-1").encode()
            if header in request.repeated and name != "if_match":
                request.add_fault(HEADERS[name], "repeated_header", "This is given twice. Give it once.")
        elif name in request.parameters:
            try:
                value = argument.read(request.parameters[name]).encode()
            except values.Fault as fault:
                request.add_fault(name, fault.code, fault.detail)
        given.append(value)
    return given
