"""The order in which requests get connections."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.server.postgres import PRESENT
from app.server.queue import ClientGone, Crowded, Queue, Unavailable


class Gone:
    is_gone = True


@dataclass
class Waiter:
    """A request in a queue."""

    name: str
    until: float
    client: Any
    future: "asyncio.Future[Any]"


class Waiters:
    """Requests in a queue, by their names."""

    def __init__(self, queue: Queue[Waiter]) -> None:
        self.queue = queue
        self.futures: dict[str, asyncio.Future[Any]] = {}

    def put(self, caller: str, *names: str, until: float = 10.0, client: Any = PRESENT) -> None:
        for name in names:
            future = asyncio.get_running_loop().create_future()
            self.futures[name] = future
            self.queue.put(caller.encode(), Waiter(name, until, client, future), 0.0)

    def take(self) -> str | None:
        """The name of the next request."""
        taken = self.queue.take()
        return taken.name if taken else None

    def error(self, name: str) -> BaseException | None:
        """The error that ended a request's wait."""
        future = self.futures[name]
        return future.exception() if future.done() else None


def waiting(steps: Callable[[Queue[Waiter], Waiters], None], connections: int = 8, limit: int = 256) -> None:
    """Runs the steps in an event loop."""

    async def run() -> None:
        queue: Queue[Waiter] = Queue(connections, limit)
        steps(queue, Waiters(queue))

    asyncio.run(run())


def test_a_free_connection_goes_to_the_caller_that_occupies_the_fewest() -> None:
    def steps(queue: Queue[Waiter], waiters: Waiters) -> None:
        for _ in range(7):
            assert queue.enter(b"greedy")
        waiters.put("greedy", "g1", "g2", "g3")
        waiters.put("small", "s1", "s2", "s3", "s4")
        order = [waiters.take()]
        for _ in range(5):
            queue.leave(b"greedy")
            order.append(waiters.take())
        # Each has four connections, or one more.
        assert order == ["s1", "s2", "s3", "s4", "g1", "g2"]

    waiting(steps)


def test_between_equals_the_turns_go_round_and_each_caller_keeps_its_order() -> None:
    def steps(queue: Queue[Waiter], waiters: Waiters) -> None:
        for caller in "abc":
            waiters.put(caller, f"{caller}1", f"{caller}2")
        order = []
        while name := waiters.take():
            order.append(name)
            queue.leave(name[0].encode())
        assert order == ["a1", "b1", "c1", "a2", "b2", "c2"]
        assert len(queue) == 0

    waiting(steps)


@pytest.mark.parametrize(("connections", "most"), [(1, 1), (2, 2), (7, 7), (8, 7), (32, 28)])
def test_one_caller_gets_at_most_seven_of_eight_connections(connections: int, most: int) -> None:
    def steps(queue: Queue[Waiter], _: Waiters) -> None:
        assert [queue.enter(b"greedy") for _ in range(connections)].count(True) == most

    waiting(steps, connections)


def test_the_connection_that_is_left_goes_to_another_caller() -> None:
    def steps(queue: Queue[Waiter], waiters: Waiters) -> None:
        for _ in range(7):
            assert queue.enter(b"greedy")
        waiters.put("greedy", "g1")
        assert waiters.take() is None
        waiters.put("small", "s1", "s2")
        assert waiters.take() == "s1"
        assert waiters.take() is None
        queue.leave(b"greedy")
        assert waiters.take() == "s2"
        queue.leave(b"greedy")
        assert waiters.take() == "g1"

    waiting(steps)


def test_in_a_full_queue_the_caller_with_the_most_requests_loses_its_last_one() -> None:
    def steps(queue: Queue[Waiter], waiters: Waiters) -> None:
        waiters.put("greedy", "g1", "g2", "g3", "g4")
        with pytest.raises(Crowded):
            waiters.put("greedy", "g5")
        waiters.put("small", "s1")
        assert isinstance(waiters.error("g4"), Crowded)
        waiters.put("small", "s2")
        assert isinstance(waiters.error("g3"), Crowded)
        with pytest.raises(Crowded):
            waiters.put("small", "s3")
        assert len(queue) == 4
        assert [waiters.take() for _ in range(4)] == ["g1", "s1", "g2", "s2"]

    waiting(steps, limit=4)


def test_a_request_leaves_when_its_time_is_over_or_its_client_has_gone() -> None:
    def steps(queue: Queue[Waiter], waiters: Waiters) -> None:
        waiters.put("a", "late", until=1.0)
        waiters.put("a", "gone", client=Gone())
        waiters.put("a", "good")
        queue.drop(2.0)
        assert type(waiters.error("late")) is Unavailable
        assert isinstance(waiters.error("gone"), ClientGone)
        assert len(queue) == 1
        assert waiters.take() == "good"

    waiting(steps)


def test_a_client_that_has_gone_is_noticed_when_its_turn_comes_or_room_is_needed() -> None:
    def steps(queue: Queue[Waiter], waiters: Waiters) -> None:
        waiters.put("a", "gone", client=Gone())
        waiters.put("a", "cancelled")
        waiters.futures["cancelled"].cancel()
        waiters.put("a", "good")
        assert waiters.take() == "good"
        assert isinstance(waiters.error("gone"), ClientGone)
        waiters.put("b", "b1", "b2", client=Gone())
        waiters.put("b", "b3", "b4", "b5")
        assert isinstance(waiters.error("b1"), ClientGone)
        assert len(queue) == 3

    waiting(steps, connections=1, limit=3)
