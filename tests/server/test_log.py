import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from app import log


@pytest.fixture(autouse=True)
def _written() -> None:
    """Writes the lines that an earlier test's event loop has left waiting."""
    log.flush()


def test_any_content_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    async def ask() -> None:
        log.request(b"r-1", "GET", '/a"\n\u2028é\x1b[31m', 404, 0.0123456)
        log.request(
            b"r-2",
            "GET",
            "/a/1",
            200,
            0.0123456,
            route="/a/{id}",
            caller=log.caller("o-1", "k-1"),
            database=0.0045678,
            wait=0.001,
            trace_id=b"f" * 32,
            cause={"sqlstate": "PT404"},
        )
        await asyncio.sleep(log._HELD * 2)

    asyncio.run(ask())
    log.write("error", message="a\nb", cause=ValueError("x"))
    out, err = capsys.readouterr()
    assert out == ""
    first, second, third = (json.loads(line) for line in err.splitlines())
    assert err.isascii()
    assert "\x1b" not in err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "info",
        "request_id": "r-1",
        "method": "GET",
        "path": '/a"\n\u2028é\x1b[31m',
        "route": None,
        "status": 404,
        "ms": 12.35,
        "db_ms": None,
        "organization_id": None,
        "key_id": None,
    }
    del second["time"]
    assert second == {
        "level": "info",
        "request_id": "r-2",
        "method": "GET",
        "path": "/a/1",
        "route": "/a/{id}",
        "status": 200,
        "ms": 12.35,
        "db_ms": 4.57,
        "organization_id": "o-1",
        "key_id": "k-1",
        "wait_ms": 1.0,
        "trace_id": "f" * 32,
        "sqlstate": "PT404",
    }
    assert (third["level"], third["message"], third["cause"]) == ("error", "a\nb", "x")


def test_lines_that_wait_are_written_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(log, "_HELD", 60)

    async def ask() -> None:
        for number in range(3):
            log.request(b"r-%d" % number, "GET", "/a", 200, 0.001)

    asyncio.run(ask())
    assert capsys.readouterr().err == ""
    log.flush()
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == ["r-0", "r-1", "r-2"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_ends_nothing_that_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        log.request(b"r-1", "GET", "/a", 200, 0.001)

    full = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - its end fails
    monkeypatch.setattr(sys, "stderr", full)
    log.write("error", message="a")
    log.failure("b", ValueError())
    asyncio.run(ask())
    log.flush()
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space left on device"):
        full.close()


def test_a_failure_shows_where_it_happened_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    field = "a lead's field"

    def parse(text: str) -> int:
        return int(text)

    async def fail() -> None:
        try:
            parse(field)
        except ValueError as error:
            raise RuntimeError(field) from error

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())

    try:
        asyncio.run(group())
    except ExceptionGroup as error:
        log.failure("It failed.", error, sync_id=7)
    text = capsys.readouterr().err
    assert field not in text
    line = json.loads(text)
    places = line.pop("traceback")
    del line["time"]
    assert line == {"level": "error", "sync_id": 7, "message": "It failed.", "error": "ExceptionGroup"}
    assert places.index("ValueError led to RuntimeError") > 0
    assert places[-1] == "RuntimeError"
    assert any(re.fullmatch(r"tests/server/test_log\.py:\d+ in parse: return int\(text\)", place) for place in places)
