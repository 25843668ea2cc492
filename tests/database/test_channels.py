"""Each notification has a program that listens for it."""

import re

from app.cells import database
from app.server import loading
from app.settings import ROOT
from app.worker import loop

CALL = re.compile(r"app\.notify\('+(\w+)'+\)")


def test_each_channel_has_a_listener() -> None:
    sent = {channel for file in (ROOT / "sql").rglob("*.sql") for channel in CALL.findall(file.read_text())}
    assert sent == {loading.CHANNEL, loop.CHANNEL, database.CHANNEL}
