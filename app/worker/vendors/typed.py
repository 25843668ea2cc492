"""Checks of a person's input for a connection.

Each function returns the value to store.
It raises ValueError with a message that continues after "but ".
"""

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address

import httpx


def text(typed: str) -> str:
    """A name in the vendor's account."""
    if not (stripped := typed.strip()) or not stripped.isprintable():
        raise ValueError("it must be a line of text")
    return stripped


def api_key(typed: str) -> str:
    """A key that is sent in a header."""
    stripped = typed.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise ValueError("it must be letters, digits and signs without a space")
    return stripped


def address(typed: str) -> str:
    """An https address, or an http address of this machine,
    which a worker calls only if its settings allow it.
    """
    stripped = typed.strip()
    # The characters of RFC 3986, without #. httpx.URL rewrites others, and does not show a bare ? or #.
    if not re.fullmatch(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+", stripped):
        raise ValueError("it must be an address of ASCII characters without spaces, backslashes and #")
    try:
        url = httpx.URL(stripped)
    except httpx.InvalidURL:
        raise ValueError("it must be an address such as https://crm.example.com") from None
    if url.scheme != "https" and not (url.scheme == "http" and _is_here(url.host)):
        raise ValueError("it must be an https address")
    if not _is_host(url.raw_host.decode()) or "@" in re.split("[/?]", stripped.partition("://")[2], maxsplit=1)[0]:
        raise ValueError("it must be an address with a host, and without a user or a password")
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError("it must be an address with a port from 1 to 65535")
    return stripped


def base(typed: str) -> str:
    """An address to which paths are added."""
    url = address(typed)
    if "?" in url:
        raise ValueError("it must be an address without a ?")
    return url.rstrip("/")


def is_loopback(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is in 127.0.0.0/8, or ::1. From Python 3.13 on, the property is_loopback is also
    true for ::ffff:127.0.0.1.
    """
    return address.is_loopback and not (isinstance(address, IPv6Address) and address.ipv4_mapped)


def _is_host(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host)) and "%" not in host
    except ValueError:
        label = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
        return len(host) <= 253 and re.fullmatch(rf"{label}(\.{label})*", host) is not None


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or is_loopback(ipaddress.ip_address(host))
    except ValueError:
        return False
