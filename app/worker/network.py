"""Network connections that read a limited number of bytes.

A limit on the body isn't enough: the head, the frames of chunks, the trailers and any number of
interim responses (1xx) precede or surround it.
"""

# ruff: noqa: ASYNC109 - the parameters are those of httpcore

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

MAX_RESPONSE = 5 << 18  # bytes: a body of 1 MiB, and a quarter of that for everything else
_PIECE = 4096  # bytes of one read: thousands of small frames must not hold up the other calls


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

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._stream.read(min(max_bytes, _PIECE), timeout)
        self._left -= len(data)
        if self._left < 0:
            raise httpcore.ReadError(f"The response has more than {MAX_RESPONSE} bytes.")
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
