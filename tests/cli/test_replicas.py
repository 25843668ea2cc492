"""What is said about the addresses of replicas before any is reached. tests/replicas has the rest."""

import socket
from typing import Any

import pytest

from app.cli.replicas import _addresses

NAMES = {
    "replicas.example": ["10.0.0.3", "10.0.0.2"],
    "replica.example": ["10.0.0.2", "fd00::2"],
}


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("host=replicas.example", ["10.0.0.2", "10.0.0.3"]),
        ("host=replicas.example hostaddr=10.0.0.2", []),
        ("host=/run/postgresql", []),
        ("host=unknown.example", []),
    ],
)
def test_a_name_can_be_that_of_several_servers(monkeypatch: pytest.MonkeyPatch, url: str, addresses: list[str]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert _addresses(url) == addresses


def test_a_server_can_have_an_address_of_each_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert len(_addresses("host=replica.example")) == 1


def resolve(host: str, *_: Any, **__: Any) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    """What a name server would answer."""
    if host not in NAMES:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [
        (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))
        for address in NAMES[host]
    ]
