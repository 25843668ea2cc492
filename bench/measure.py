"""The rounds. Each round measures every side of an operation, one directly after the other, so that
the sides meet the same state of the machine. The order changes with each round.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.figures import Sample
from bench.operations import OPERATIONS, Operation

Say = Callable[[str], None]
Measure = Callable[[Operation], Sample]
"""Measures an operation on one side."""
Samples = dict[str, dict[str, list[Sample]]]
"""The samples of each operation and side, by round."""
T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """The extent of a measurement."""

    rounds: int
    seconds: int
    """Seconds of each run."""
    connections: int
    """Connections to PostgreSQL of each server, and clients of pgbench."""


def rotated(sides: Sequence[T], number: int) -> list[T]:
    """Returns the order of the sides in a round: in as many rounds as sides, each is first once."""
    first = number % len(sides)
    return [*sides[first:], *sides[:first]]


def rounds(plan: Plan, sides: Mapping[str, Measure], before: Callable[[], None], say: Say) -> Samples:
    """Measures each operation on each side. before: what to do before each round.
    Raises BenchmarkError.
    """
    samples: Samples = {operation.name: {side: [] for side in sides} for operation in OPERATIONS}
    for number in range(plan.rounds):
        before()
        for operation in OPERATIONS:
            for side in rotated([*sides], number):
                say(f"round {number + 1} of {plan.rounds}: {operation.name}, {side}")
                samples[operation.name][side].append(sides[side](operation))
    return samples
