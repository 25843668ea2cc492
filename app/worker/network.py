"""Network connections that limit what a response costs.

A limit on the body isn't enough: the head, the frames of chunks, the trailers and any number of
interim responses (1xx) precede or surround it. A limit on bytes isn't enough, either: h11 and
httpcore take as long for a chunk of one byte as for a large one, and the worker's event loop does
nothing else meanwhile.
"""

# ruff: noqa: ASYNC109 - the parameters are those of httpcore

import asyncio
import re
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

MAX_RESPONSE = 5 << 18  # bytes: a body of 1 MiB, and a quarter of that for everything else
_PIECE = 4096  # bytes of one read: many small frames must not hold up the other calls
_INTERIM = 10  # interim responses
_HEADERS = 100  # headers of all heads, and trailers
_LINES = 1 << 14  # bytes of heads, chunks' frames and trailers, and one more for 16 bytes of the response
_STEPS = 256  # reads and chunks, and one more for 256 bytes of the response

_INVALID = re.compile(rb"[\0\v\f]|\r(?!\n)")
"""What h11 refuses in a line. With spaces before it, h11's regular expressions take quadratic time to do so."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,20})(?:[; \t].*)?\r\n")


class Network(httpcore.AsyncNetworkBackend):
    """Connections for one call each."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises httpcore.ConnectError and httpcore.ConnectTimeout."""
        return _Stream(await self._backend.connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = MAX_RESPONSE
        self._frames = _Frames()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._stream.read(min(max_bytes, _PIECE), timeout)
        self._left -= len(data)
        if self._left < 0:
            raise httpcore.ReadError(f"The response has more than {MAX_RESPONSE} bytes.")
        self._frames.receive(data)
        await asyncio.sleep(0)  # a TLS stream doesn't wait for what it has received already
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Frames:
    """Counts what surrounds the body before h11 parses it. It leaves other checks to h11."""

    def __init__(self) -> None:
        self._expects = self._status
        self._part = b""  # of a line
        self._body: float = 0  # bytes that come before the next line
        self._is_interim = self._is_chunked = False
        self._received = self._steps = self._lines = self._interim = self._headers = 0

    def receive(self, data: bytes) -> None:
        """Raises httpcore.RemoteProtocolError if the response exceeds a limit."""
        self._received += len(data)
        self._steps += 1
        at = 0
        while at < len(data):
            if self._body:
                skipped = min(self._body, len(data) - at)
                self._body -= skipped
                at += int(skipped)
            else:
                end = data.find(b"\n", at) + 1 or len(data)
                self._lines += end - at
                self._part += data[at:end]
                at = end
                if self._part.endswith(b"\n"):
                    line, self._part = self._part, b""
                    if _INVALID.search(line):
                        raise httpcore.RemoteProtocolError("The response has an invalid line.")
                    self._expects(line)
            self._limit("bytes around the body", self._lines, _LINES + self._received // 16)
            self._limit("pieces", self._steps, _STEPS + self._received // 256)

    def _limit(self, things: str, count: int, maximum: int) -> None:
        if count > maximum:
            raise httpcore.RemoteProtocolError(f"The response has more than {maximum} {things}.")

    def _status(self, line: bytes) -> None:
        self._is_interim = line.partition(b" ")[2].startswith(b"1")
        self._interim += self._is_interim
        self._limit("interim responses", self._interim, _INTERIM)
        self._expects = self._header

    def _header(self, line: bytes) -> None:
        if line.strip(b"\r\n"):
            self._headers += 1
            self._limit("headers", self._headers, _HEADERS)
            self._is_chunked |= line.lower().startswith(b"transfer-encoding:")
        elif self._is_interim:
            self._expects, self._is_chunked = self._status, False
        elif self._is_chunked:
            self._expects = self._chunk
        else:
            self._body = float("inf")

    def _chunk(self, line: bytes) -> None:
        self._steps += 1
        if not (size := _CHUNK.fullmatch(line)):
            raise httpcore.RemoteProtocolError("The response has an invalid chunk.")
        if length := int(size[1], 16):
            self._body = length + 2  # with the line break after it
        else:
            self._expects, self._is_chunked = self._header, False
