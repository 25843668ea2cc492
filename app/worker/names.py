"""Look-ups of host names, each name in one thread of its own.

getaddrinfo can't be cancelled: a time-out ends the wait, but not the thread. asyncio has a few
threads for all look-ups, six on a machine with two processors, so that one name whose servers don't
answer would hold up every tenant. Here all calls to a host wait for one look-up. A connection has
one host, and so one thread.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from app.worker.vendors import NotMade

SECONDS = 3.0
"""How long a call waits for the addresses of its host."""

THREADS = 128
"""How many names may be looked up at once.
That many hosts that don't resolve would hold up the others.
"""

Addresses = list[IPv4Address | IPv6Address]


class Names:
    """The look-ups of one event loop."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Future[Addresses | Exception]] = {}

    async def addresses(self, host: str) -> Addresses:
        """The host's addresses, in the order in which to try them. Raises NotMade with the reason."""
        look_up = self._running.get(host)
        if look_up is None:
            if len(self._running) >= THREADS:
                raise NotMade(f"{host} wasn't called: {THREADS} other names are being looked up")
            look_up = self._running[host] = self._start(host)
        try:
            async with asyncio.timeout(SECONDS):
                result = await asyncio.shield(look_up)
        except TimeoutError:
            raise NotMade(f"{host} can't be reached: its name did not resolve in {SECONDS:g} seconds") from None
        if isinstance(result, Exception):
            reason = result.strerror if isinstance(result, OSError) else result
            raise NotMade(f"{host} can't be reached: its name has no address now ({reason})")
        return result

    def _start(self, host: str) -> asyncio.Future[Addresses | Exception]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Addresses | Exception] = loop.create_future()

        def end(result: Addresses | Exception) -> None:
            del self._running[host]
            future.set_result(result)

        def look_up() -> None:
            result: Addresses | Exception
            try:
                found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                result = [ip_address(sockaddr[0]) for *_, sockaddr in found]
            except (OSError, UnicodeError, ValueError) as error:
                result = error
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(end, result)

        # A daemon, because a worker that ends must not wait for it.
        threading.Thread(target=look_up, name=f"look-up of {host}", daemon=True).start()
        return future
