"""Outgoing connections: https to public addresses only.

A tenant sets a connection's address, and could name a service that only this machine can reach,
such as its cloud's metadata. To check the name isn't enough, because it may resolve to another
address the next time. The name is therefore resolved once, and the connection goes to the address
that was checked. TLS still checks the certificate against the name.
"""

from ipaddress import IPv4Address, IPv6Address, ip_network

import httpcore
import httpx

from app.worker.names import Names
from app.worker.network import Network
from app.worker.vendors import Refused
from app.worker.vendors.typed import is_loopback

CONNECT = 3.0
"""Seconds that a connection to one address may take."""

_SPECIAL = [
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's metadata, at an address that looks public
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "2001::/23",  # Teredo, and other protocol assignments (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4: contains an IPv4 address (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
]
_GLOBAL_UNICAST = ip_network("2000::/3")  # RFC 4291: no mapped, NAT64, local or multicast addresses


class NotPublic(Refused):
    """A name is at an address that isn't public. The message contains the address."""


class _Transport(httpx.AsyncHTTPTransport):
    def __init__(self) -> None:
        # httpx has no parameter for the network.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False), max_connections=100, network_backend=Network()
        )


class Guard(httpx.AsyncBaseTransport):
    """Sends requests to public addresses only.
    Raises Refused (NotPublic), and NotMade for a name without an address.
    """

    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback
        self._names = Names()
        self._transport = _Transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Connects to the first of the host's addresses that accepts a connection."""
        host = request.url.raw_host.decode("ascii")
        if request.url.userinfo:
            raise Refused(f"The address of {host} has a user or a password in it")
        addresses = await self._names.addresses(host)
        for address in addresses:
            if not is_public(address) and not (self._allow_loopback and is_loopback(address)):
                raise NotPublic(f"{host} is at {address}, which isn't a public address")
        is_here = self._allow_loopback and all(is_loopback(address) for address in addresses)
        if request.url.scheme != "https" and not is_here:
            raise Refused(f"The address of {host} isn't an https one")
        for address in addresses[:-1]:
            try:
                return await self._send(request, host, address)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # nothing was sent
        return await self._send(request, host, addresses[-1])

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._transport.aclose()

    async def _send(self, request: httpx.Request, host: str, address: IPv4Address | IPv6Address) -> httpx.Response:
        return await self._transport.handle_async_request(
            httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,  # Host contains the name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is public, and doesn't contain another address (mapped, NAT64, 6to4)."""
    if any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
