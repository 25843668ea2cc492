"""One connection to the server, for clients that do what a usual client can't."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

RESET = b"\1\0\0\0\0\0\0\0"
"""SO_LINGER without a time: the connection is reset when it is closed."""


def request(line: str, key: str, body: bytes | None = None, *headers: str) -> bytes:
    """A request below /api/v1. line: the method and the path. body: without it, no Content-Length."""
    lines = [line.replace(" /", " /api/v1/", 1) + " HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


@dataclass(frozen=True)
class Answer:
    """A response. head: in lower case."""

    head: str
    body: bytes

    @property
    def status(self) -> int:
        """The status."""
        return int(self.head.split(maxsplit=2)[1])

    def header(self, name: str) -> str | None:
        """The value of a header, whose name is in lower case."""
        _, found, rest = self.head.partition(f"\r\n{name}: ")
        return rest.partition("\r\n")[0] if found else None


class Connection:
    """A network connection, open during the block."""

    def __init__(self, base: str) -> None:
        host, _, port = base.removeprefix("http://").rpartition(":")
        self._address = (host, int(port))

    async def __aenter__(self) -> Self:
        self.reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def send(self, data: bytes) -> None:
        """Sends the data, and waits while the server doesn't read."""
        self._writer.write(data)
        await self._writer.drain()

    async def read(self) -> Answer:
        """Reads one response. Raises asyncio.IncompleteReadError if the server closes the connection."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        answer = Answer(head, b"")
        return Answer(head, await self.reader.readexactly(int(answer.header("content-length") or 0)))

    async def exchange(self, data: bytes) -> Answer:
        """Sends a request, and reads its response."""
        await self.send(data)
        return await self.read()

    def reset(self) -> None:
        """Closes the connection without the usual end. What is not sent yet is lost."""
        with suppress(OSError):
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._writer.transport.abort()
