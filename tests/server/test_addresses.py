"""The address of a client behind proxies."""

from ipaddress import ip_network

import pytest

from app.server.addresses import client_address
from app.settings import SettingsError, read

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),  # no proxy
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "unknown, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("fd00::1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        (None, "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
        (None, None, None),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy(peer: str | None, header: str | None, address: str | None) -> None:
    forwarded = None if header is None else header.encode()
    assert client_address(peer, forwarded, TRUSTED) == address


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert client_address("10.0.0.1", b"198.51.100.1", ()) == "10.0.0.1"
    assert client_address(None, b"198.51.100.1", ()) is None


def test_the_setting() -> None:
    assert read({"LEADS_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8"}).trusted_proxies == TRUSTED
    assert read({}).trusted_proxies == ()
    with pytest.raises(SettingsError, match="LEADS_TRUSTED_PROXIES"):
        read({"LEADS_TRUSTED_PROXIES": "10.0.0.1/8"})
