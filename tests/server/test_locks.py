"""The queue of requests that wait for a lock."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from app.server import api, locks
from app.server.locks import LOCK_PATIENCE, LockQueue, is_locked
from app.server.postgres import PRESENT, StatementFailed
from app.server.queue import ClientGone, Unavailable
from app.server.request import read_request

CLAIM = (b"digest", "PATCH", "/leads/1")
RESULT: Any = object()


def failure(sqlstate: str = "55P03", message: str = "") -> StatementFailed:
    """An error of PostgreSQL."""
    return StatementFailed(sqlstate, message, None, None, "")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses too short to wait for."""
    monkeypatch.setattr(locks, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(locks, "LONGEST_PAUSE", 0.002)


def failing(*errors: Exception) -> Callable[[float], Awaitable[Any]]:
    """Raises one error after the other, and then returns RESULT."""
    left = iter(errors)

    async def attempt(patience: float) -> Any:
        await asyncio.sleep(0)
        for error in left:
            raise error
        return RESULT

    return attempt


def run(queue: LockQueue, attempt: Callable[[float], Awaitable[Any]], **options: Any) -> Any:
    """Runs the attempts in a loop of their own."""
    defaults: dict[str, Any] = {"client": PRESENT, "started": time.perf_counter(), "failure": failure()}
    return asyncio.run(queue.run(CLAIM, attempt=attempt, **defaults | options))


def test_it_tries_until_it_gets_the_lock_and_then_forgets_it() -> None:
    queue = LockQueue(8, 256)
    assert run(queue, failing(*[failure()] * 5)) is RESULT
    assert not queue.held
    assert not queue._waiting


@pytest.mark.parametrize("error", [failure("23505"), ValueError()])
def test_any_other_error_ends_it(error: Exception) -> None:
    queue = LockQueue(8, 256)
    with pytest.raises(type(error)):
        run(queue, failing(failure(), error))
    assert not queue._waiting


def test_its_time_is_that_of_the_whole_request() -> None:
    last = failure("40P01")
    started = time.perf_counter() - LOCK_PATIENCE + 0.1
    # Also the first error: on a busy machine there may be no time for an attempt.
    with pytest.raises(StatementFailed) as error:
        run(LockQueue(8, 256), failing(*[last] * 1000), started=started, failure=last)
    assert error.value is last


def test_a_client_that_has_gone_ends_it() -> None:
    class Gone:
        is_gone = True

    with pytest.raises(ClientGone):
        run(LockQueue(8, 256), failing(), client=Gone())


def test_a_quarter_of_the_connections_is_for_locks() -> None:
    running = most = 0

    async def attempt(patience: float) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return RESULT

    async def run_all() -> None:
        queue = LockQueue(8, 256)
        started = time.perf_counter()
        await asyncio.gather(
            *(queue.run((b"%d" % n, "PATCH", "/"), PRESENT, started, attempt, failure()) for n in range(20)),
            *(queue.run((b"%d" % n, "PATCH", "/"), PRESENT, started, attempt) for n in range(20)),
        )

    asyncio.run(run_all())
    assert most == 2


def test_one_key_cannot_use_up_all_places() -> None:
    async def wait() -> tuple[int, int]:
        queue = LockQueue(2, 6)
        started = time.perf_counter()
        blocked = asyncio.Event()

        async def attempt(patience: float) -> Any:
            await blocked.wait()
            return RESULT

        async def is_refused(digest: bytes, error: StatementFailed | None) -> bool:
            try:
                await queue.run((digest, "PATCH", "/"), PRESENT, started, attempt, error)
            except (StatementFailed, Unavailable):
                return True
            return False

        one = [asyncio.ensure_future(is_refused(b"one", failure())) for _ in range(3)]
        others = [asyncio.ensure_future(is_refused(b"%d" % n, None)) for n in range(7)]
        await asyncio.sleep(0.01)
        blocked.set()
        return sum(await asyncio.gather(*one)), sum(await asyncio.gather(*others))

    assert asyncio.run(wait()) == (1, 1)


def test_a_lock_that_was_held_a_moment_ago_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(locks, "time", SimpleNamespace(perf_counter=lambda: now))
    queue = LockQueue(8, 2)
    for number in range(100):
        queue._remember((b"", "PATCH", f"/{number}"))
    assert queue.knows((b"", "PATCH", "/99"))
    assert not queue.knows((b"x", "PATCH", "/99"))
    now += locks.MEMORY
    assert not queue.knows((b"", "PATCH", "/99"))
    queue._remember(CLAIM)
    assert list(queue.held) == [CLAIM]


def test_what_counts_as_a_lock() -> None:
    assert all(map(is_locked, map(failure, ("55P03", "40001", "40P01"))))
    assert is_locked(failure("PT409", "idempotency_in_progress"))
    assert not is_locked(failure("PT409", "erased"))
    assert not is_locked(failure("57014"))


def test_the_spellings_of_an_id_have_one_claim() -> None:
    def claim(id: str) -> locks.Claim:
        return api._claim(
            read_request({"method": "PATCH", "path": f"/api/v1/leads/{id}", "query_string": b"", "headers": []})
        )

    id = "0199a000-0000-7abc-8000-00000000000a"
    assert claim(id) == claim(id.upper()) == claim(id.replace("-", ""))
    assert claim(id) != claim(id.replace("abc", "abd"))
