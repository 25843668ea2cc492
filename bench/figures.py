"""Computes the figures: processor time per request, ratios, and their spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One run of pgbench or wrk: the number of requests, the seconds, and the processor time."""

    requests: int
    seconds: float
    front: float
    """Seconds of processor time of PostgreSQL's client: pgbench, or the server."""
    postgres: float
    """Seconds of processor time of all processes of PostgreSQL."""
    p50: float | None = None
    """The median latency, in milliseconds."""
    p99: float | None = None
    failures: int = 0
    """Requests without a response of 2xx."""

    @property
    def cpu(self) -> float:
        """Microseconds of processor time per request."""
        return (self.front + self.postgres) / self.requests * 1e6

    @property
    def postgres_cpu(self) -> float:
        """PostgreSQL's part of it."""
        return self.postgres / self.requests * 1e6

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def less(whole: Sample, part: Sample) -> Sample:
    """Returns the whole without the part."""
    return Sample(
        whole.requests - part.requests,
        whole.seconds - part.seconds,
        whole.front - part.front,
        whole.postgres - part.postgres,
    )


@dataclass(frozen=True)
class Spread:
    """The median, the minimum and the maximum of several figures."""

    median: float
    least: float
    greatest: float


def spread(figures: Sequence[float]) -> Spread:
    """Returns the spread of at least one figure."""
    return Spread(median(figures), min(figures), max(figures))


def ratio(
    samples: Sequence[Sample], base: Sequence[Sample], cost: Callable[[Sample], float] = lambda sample: sample.cpu
) -> Spread:
    """Returns the spread of each round's cost divided by that of the base.

    Samples with the same position are from the same round.
    They are close in time, which reduces noise.
    """
    return spread([cost(sample) / cost(base_sample) for sample, base_sample in zip(samples, base, strict=True)])


def microseconds(samples: Sequence[Sample]) -> tuple[float, float]:
    """Returns the medians of front and PostgreSQL, in microseconds of processor time per
    request.
    """
    return (
        median(sample.front / sample.requests * 1e6 for sample in samples),
        median(sample.postgres / sample.requests * 1e6 for sample in samples),
    )


class BenchmarkError(Exception):
    """Something failed during a measurement, so its figures are invalid."""
