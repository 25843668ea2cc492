"""A response whose body is sent page by page, so that it needs the memory of two pages only.

A page is a statement of its own: between two pages no connection to PostgreSQL is held. If a page
can't be read, or the server stops, the body ends without its end, and the client sees an error.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from app import log
from app.server.queue import ClientGone

Write = Callable[[bytes], Awaitable[bool]]
"""Sends a page, and waits until the client has taken most of it. Returns whether it still reads."""


class CutOff(Exception):
    """The next page can't be read. cause: what the log says about it."""

    def __init__(self, cause: Mapping[str, str]) -> None:
        self.cause = cause


@dataclass
class Stream:
    """The status and the headers of a response, and its body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    pages: AsyncGenerator[bytes]
    """Raises CutOff, ClientGone, and what a page raises."""
    end: Callable[[Mapping[str, str] | None], None]
    """Is called once, with the cause if the body is incomplete."""

    async def send(self, begin: Callable[[], Awaitable[None]], write: Write) -> bool:
        """Calls ``begin``, which sends the headers, and passes each page to ``write``.
        Returns whether the body is complete.
        """
        cause: Mapping[str, str] | None = {"reason": "An error occurred."}
        try:
            await begin()
            async for page in self.pages:
                if not await write(page):
                    raise ClientGone
            cause = None
        except ClientGone:
            cause = {"reason": "The client has disconnected."}
        except CutOff as error:
            cause = error.cause
        except asyncio.CancelledError:
            cause = {"reason": "The server is stopping."}
        except Exception as error:
            log.failure("The response failed.", error)
        finally:
            await self.pages.aclose()
            self.end(cause)
        return cause is None
