"""The address of the client that sent a request, behind proxies that are trusted."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def client_address(peer: str | None, forwarded_for: bytes | None, trusted: Sequence[Network]) -> str | None:
    """The client's IP address. None: it isn't known.

    peer: the other end of the connection. forwarded_for: the header X-Forwarded-For. Each proxy
    adds the address that it was called from, so the header is read from its end, as long as the
    addresses are those of trusted proxies. What a client has written itself is to the left of that.
    """
    address = _address(peer)
    if not trusted:
        return None if address is None else str(address)
    hops = (forwarded_for or b"").decode("latin-1").split(",") if forwarded_for else []
    # Through a socket file, the other end has no address. It is this machine's proxy.
    while hops and (address is None or any(address in network for network in trusted)):
        following = _address(hops.pop().strip())
        if following is None:
            break
        address = following
    return None if address is None else str(address)


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    # Some proxies add a port: 192.0.2.7:4711 or [2001:db8::7]:4711.
    if text and text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text and text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # Without the zone of a link-local address.
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
