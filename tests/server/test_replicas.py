"""What a replica is asked. tests/replicas has the tests with real replicas."""

import pytest

from app.server import replicas
from app.server.replicas import POLL, Replicas


@pytest.mark.parametrize(("most_lag", "most"), [(1, 9), (5, 25), (3600, 45)])
def test_a_question_is_small_however_late_a_replica_may_be(
    monkeypatch: pytest.MonkeyPatch, most_lag: int, most: int
) -> None:
    servers = Replicas("", ["host=replica"], size=1, queue=1, most_lag=most_lag)
    now = 0.0
    monkeypatch.setattr(replicas, "monotonic", lambda: now)
    for number in range(20_000):
        now = number * POLL
        servers._note(b"%064d" % number)
    times = [at for at, _ in servers._positions]
    assert len(times) <= most
    assert times[-1] == now
    assert now - times[0] >= most_lag
