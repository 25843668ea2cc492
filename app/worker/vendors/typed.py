"""Checks of a person's input for a connection.

Each function returns the value to store.
It raises ValueError with a message that continues after "but ".
"""

import ipaddress

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
    try:
        url = httpx.URL(stripped)
    except httpx.InvalidURL:
        raise ValueError("it must be an address such as https://crm.example.com") from None
    if url.scheme != "https" and not (url.scheme == "http" and _is_here(url.host)):
        raise ValueError("it must be an https address")
    if not url.host or url.userinfo or url.fragment or not stripped.isprintable():
        raise ValueError("it must be an address with a host, and without a user, a password or a #")
    return stripped


def base(typed: str) -> str:
    """An address to which paths are added."""
    url = address(typed)
    if httpx.URL(url).query:
        raise ValueError("it must be an address without a ?")
    return url.rstrip("/")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
