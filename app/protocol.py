"""uvicorn's HTTP protocol with an end to everything that a stranger may send before anybody asks for a key.

uvicorn bounds neither the head of a request nor the time that it may take, and where a request asks for an upgrade, or
is a CONNECT, it takes what follows the head, the request's own body, for another request.
"""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 32 * 1024
"""Octets of a request's line and headers."""
MAX_HEADERS = 100
HEAD_PATIENCE = 10.0
"""Seconds that a head may take, from the connection or the head's first octet on."""
BODY_PATIENCE = 30.0
"""Seconds that a body may take."""

# RFC 6585, section 5.
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 49\r\nconnection: close\r\n\r\nA request's head has at most 32 KiB, 100 headers."
)


class Protocol(HttpToolsProtocol):
    """One connection. What breaks a limit is answered 431; what takes too long is cut off."""

    _octets = 0
    _unparsed = 0
    _is_in_head = True
    _is_ending = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to wait for the first head."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._wait(HEAD_PATIENCE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what came; nothing that comes behind an upgrade that isn't made."""
        if self._is_ending:
            return
        super().data_received(data)
        # A header is known only when it is whole.
        if self._is_in_head and not self._is_ending:
            self._unparsed += len(data)
            if self._unparsed > MAX_HEAD:
                self._refuse()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._octets = self._unparsed = 0
        self._is_in_head = True
        self._wait(HEAD_PATIENCE)

    def on_url(self, url: bytes) -> None:
        """Some of the request's line."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """The head is there, and the request is under way."""
        self._is_in_head = False
        self._wait(BODY_PATIENCE)
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self._is_ending = True
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is there, whole."""
        self._wait(None)
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """The answer to what is no HTTP, unless the head was refused already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _count(self, octets: int) -> None:
        self._octets += octets
        if self._octets > MAX_HEAD or len(self.headers) > MAX_HEADERS:
            self._refuse()
            raise ValueError("the head is too large")  # ends the parsing

    def _refuse(self) -> None:
        self._is_ending = True
        self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.close)
