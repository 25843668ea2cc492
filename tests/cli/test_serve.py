"""What ``leads serve`` passes to uvicorn."""

import socket

import pytest
import uvicorn

from app import settings
from app.cli import serve


def test_the_settings_reach_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[uvicorn.Config] = []

    def run(server: uvicorn.Server, sockets: object) -> None:
        configs.append(server.config)

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setenv("DATABASE_URL", "")
    with socket.socket() as listener:
        for environ in ({}, {"LEADS_KEEP_ALIVE_SECONDS": "620"}):
            serve._run(listener, "", 1, settings.read(environ))
    assert [config.timeout_keep_alive for config in configs] == [75, 620]
