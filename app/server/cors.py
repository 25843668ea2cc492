"""CORS: which pages of other origins may call the API, with which methods, and which headers they read.

The routes of forms are left out: their functions decide about origins themselves.
"""

import functools
from collections.abc import Callable

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.api import OPEN_PREFIX, PREFIX
from app.server.routes import Table

_SENT = (
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Leads-Position",
    "Traceparent",
    "Tracestate",
    "X-Request-Id",
)
"""The headers that a page may send."""

_READ = (
    "Content-Disposition",
    "Deprecation",
    "ETag",
    "Idempotency-Replayed",
    "Leads-Position",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Server-Timing",
    "Sunset",
    "X-Request-Id",
)
"""The headers that a page may read."""


def wrap(application: ASGIApp, origins: tuple[str, ...], table: Callable[[], Table]) -> ASGIApp:
    """The application, for pages of these origins. table: returns the routes of this moment."""

    @functools.lru_cache(100)
    def with_methods(methods: tuple[str, ...]) -> ASGIApp:
        return CORSMiddleware(
            application, allow_origins=origins, allow_methods=methods, allow_headers=_SENT, expose_headers=_READ
        )

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(OPEN_PREFIX + "/"):
            await application(scope, receive, send)
            return
        is_preflight = scope["type"] == "http" and scope["method"] == "OPTIONS"
        methods = _methods(table(), scope["path"]) if is_preflight else ()
        await with_methods(methods)(scope, receive, _with_timing_origin(send))

    return wrapped


def _methods(table: Table, path: str) -> tuple[str, ...]:
    """The methods of the path. Of a path that does not exist: all that any route has, so that the page
    sees the 404.
    """
    if not path.startswith(PREFIX + "/"):
        return "GET", "HEAD"
    match = table.match(path.removeprefix(PREFIX))
    return table.methods if match is None else match.methods


def _with_timing_origin(send: Send) -> Send:
    """The origin that may read a response may also read its Server-Timing."""

    async def send_with_origin(message: Message) -> None:
        if message["type"] == "http.response.start":
            origins = [value for name, value in message["headers"] if name == b"access-control-allow-origin"]
            message["headers"] = [*message["headers"], *((b"timing-allow-origin", value) for value in origins)]
        await send(message)

    return send_with_origin
