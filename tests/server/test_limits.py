"""The buckets of the rate limits, with a simulated clock."""

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.server import limits
from app.server.limits import Limits

SECOND = 1_000_000_000
NOW = 5_000 * SECOND

PROCESS = """
import sys
from pathlib import Path
from app.server import limits
# On a busy machine, a process that holds a lock may wait long for a processor.
limits.LATER_TRIES = 60_000
limits = limits.Limits(60, 100, Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
allowed = sum(limits.take(sys.argv[2].encode(), 5_000_000_000_000).retry_after is None for _ in range(2000))
print(allowed, flush=True)
sys.stdin.readline()
"""


def digest(name: object) -> bytes:
    return hashlib.sha256(str(name).encode()).hexdigest().encode()


KEY = digest("key")


@pytest.fixture(params=["one process", "shared"])
def new_limits(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int, int], Limits]:
    path = limits.create(tmp_path) if request.param == "shared" else None
    return lambda per_minute, burst: Limits(per_minute, burst, path)


def test_a_bucket_gives_its_tokens_and_fills_again(new_limits: Callable[[int, int], Limits]) -> None:
    buckets = new_limits(60, 3)
    policy = (b"ratelimit-policy", b'"default";q=3;w=3')
    assert [buckets.take(KEY, NOW) for _ in range(4)] == [
        ((policy, (b"ratelimit", b'"default";r=2;t=1')), None),
        ((policy, (b"ratelimit", b'"default";r=1;t=1')), None),
        ((policy, (b"ratelimit", b'"default";r=0;t=1')), None),
        ((policy, (b"ratelimit", b'"default";r=0;t=1')), 1),
    ]
    # A refused request takes no token.
    assert buckets.take(KEY, NOW + SECOND - 1).retry_after == 1
    assert buckets.take(KEY, NOW + SECOND).retry_after is None
    assert buckets.take(KEY, NOW + SECOND).retry_after == 1
    later = NOW + 100 * SECOND
    assert [buckets.take(KEY, later).retry_after for _ in range(4)] == [None, None, None, 1]


def test_the_wait_is_rounded_up_and_long_enough(new_limits: Callable[[int, int], Limits]) -> None:
    buckets = new_limits(7, 2)
    now = NOW
    for step in range(200):
        now += step * 37_000_001
        verdict = buckets.take(KEY, now)
        while (seconds := verdict.retry_after) is not None:
            assert 1 <= seconds <= 9
            assert dict(verdict.headers)[b"ratelimit"] == b'"default";r=0;t=%d' % seconds
            assert buckets.take(KEY, now + (seconds - 1) * SECOND).retry_after is not None
            now += seconds * SECOND
            verdict = buckets.take(KEY, now)


@pytest.mark.parametrize(("per_minute", "burst"), [(1, 1), (60, 120), (7, 3), (1_000_000, 10)])
def test_no_more_than_the_limit_passes(new_limits: Callable[[int, int], Limits], per_minute: int, burst: int) -> None:
    buckets = new_limits(per_minute, burst)
    step = 60 * SECOND // per_minute // 3
    passed = sum(buckets.take(KEY, NOW + i * step).retry_after is None for i in range(900))
    assert burst + 298 <= passed <= burst + 300


def test_each_key_has_its_own_bucket(new_limits: Callable[[int, int], Limits]) -> None:
    """More keys than the places of a part, and than the local buckets that are kept."""
    buckets = new_limits(1, 2)
    for _ in range(2):
        assert all(buckets.take(digest(i), NOW).retry_after is None for i in range(20_000))
    assert all(buckets.take(digest(i), NOW).retry_after is not None for i in range(20_000))


def test_keys_that_find_no_place_are_limited_too(tmp_path: Path) -> None:
    buckets = Limits(1, 2, limits.create(tmp_path))
    # All of one part.
    keys = [digest(i)[:32] + b"0" * 32 for i in range(100)]
    for key in keys:
        assert [buckets.take(key, NOW).retry_after for _ in range(3)] == [None, None, 60]
    assert len(buckets._local) == 100 - 16
    # Full buckets give their places away.
    later = NOW + 121 * SECOND
    for key in keys[50:66]:
        assert [buckets.take(key, later).retry_after for _ in range(3)] == [None, None, 60]
    assert len(buckets._local) == 100 - 16


def test_local_buckets_that_are_full_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_LOCAL", 10)
    buckets = Limits(60, 2)
    for i in range(100):
        buckets.take(digest(i), NOW + i * SECOND)
    assert len(buckets._local) <= 10


def test_an_answered_request_is_counted_and_never_refused(new_limits: Callable[[int, int], Limits]) -> None:
    buckets = new_limits(60, 2)
    assert all(buckets.take(KEY, NOW, is_answered=True).retry_after is None for _ in range(10))
    assert buckets.take(KEY, NOW).retry_after == 1


def test_processes_share_the_buckets_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    path = limits.create(tmp_path)
    buckets = Limits(60, 100, path)
    assert not buckets.knows(KEY, NOW)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(path), KEY.decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            print(file=process.stdin, flush=True)
        # They run at the same time.
        passed = [int(process.stdout.readline()) for process in processes if process.stdout]
        assert sum(passed) == 100
        assert buckets.knows(KEY, NOW)
        assert not buckets.knows(digest("other"), NOW)
        assert not buckets.knows(KEY, NOW + 100 * SECOND)
        assert buckets.take(KEY, NOW).retry_after == 1
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_lock_that_is_held_delays_no_request(tmp_path: Path) -> None:
    """A stopped process holds it. The request counts in this process only."""
    path = limits.create(tmp_path)
    code = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); "
        "print(flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        os.kill(holder.pid, signal.SIGSTOP)
        buckets = Limits(60, 2, path)
        assert [buckets.take(KEY, NOW).retry_after for _ in range(3)] == [None, None, 1]
        holder.kill()
        holder.wait()
        with path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert [buckets.take(KEY, NOW).retry_after for _ in range(3)] == [None, None, 1]
    finally:
        holder.kill()
        holder.communicate()


def test_a_time_that_no_bucket_can_have_ends_soon(tmp_path: Path) -> None:
    path = limits.create(tmp_path)
    buckets = Limits(60, 2, path)
    buckets.take(KEY, NOW)
    path.write_bytes(path.read_bytes().replace((NOW + SECOND).to_bytes(8, sys.byteorder), b"\xff" * 7 + b"\x7f"))
    buckets = Limits(60, 2, path)
    assert buckets.take(KEY, NOW).retry_after == 1
