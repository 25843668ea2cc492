"""A background task that fails is logged with its traceback and started again,
a limited number of times.
"""

import asyncio
import json
from typing import Any

import psycopg
import pytest

from app import background
from app.background import Background, GivenUp


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("FIRST_PAUSE", 0.01), ("LONGEST_PAUSE", 0.02), ("STEADY", 60.0)):
        monkeypatch.setattr(background, name, seconds)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_task_that_fails_is_logged_and_starts_again_until_it_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        secret = "not to be logged"
        if calls < 3:
            raise AttributeError(secret)

    async def run() -> None:
        tasks = Background()
        await tasks.run("sweeper", work)
        assert tasks.failing() == ["sweeper"]
        loop = asyncio.get_running_loop()
        now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now + background.STEADY + 1)
        assert tasks.failing() == []
        monkeypatch.undo()

    asyncio.run(run())
    assert calls == 3
    logged = lines(capsys)
    assert [(line["level"], line["message"], line["error"]) for line in logged] == [
        ("error", "The task 'sweeper' failed.", "AttributeError")
    ] * 2
    assert logged[0]["traceback"][-1].endswith("in work: raise AttributeError(secret)")
    assert "not to be logged" not in json.dumps(logged)


def test_a_task_that_fails_too_many_times_in_a_row_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        raise KeyError

    with pytest.raises(GivenUp, match="'sweeper' failed 4 times in a row"):
        asyncio.run(Background(attempts=4).run("sweeper", work))
    assert len(lines(capsys)) == 4


def test_a_failure_after_a_steady_time_counts_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "STEADY", 0.2)
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            return
        await asyncio.sleep(0.25)
        raise KeyError

    asyncio.run(Background(attempts=2).run("sweeper", work))


def test_a_database_that_is_away_is_a_warning_and_never_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls < 5:
            raise psycopg.OperationalError("host=secret")

    async def run() -> None:
        tasks = Background(attempts=2)
        await tasks.run("sweeper", work)
        assert tasks.failing() == []

    asyncio.run(run())
    logged = lines(capsys)
    assert [line["level"] for line in logged] == ["warning"] * 4
    assert "secret" not in json.dumps(logged)
