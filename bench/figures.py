"""How the figures are reckoned: CPU a request, efficiency, and what of them is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One run of pgbench or wrk: how many requests, in how many seconds, for how much processor time."""

    requests: int
    seconds: float
    front: float
    """Seconds of processor time of what speaks to PostgreSQL: pgbench, or the server."""
    postgres: float
    """Seconds of processor time of PostgreSQL, all of its processes."""
    p50: float | None = None
    """Milliseconds that half of the requests took at most."""
    p99: float | None = None

    @property
    def cpu(self) -> float:
        """Microseconds of processor time a request."""
        return (self.front + self.postgres) / self.requests * 1e6

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def less(whole: Sample, part: Sample) -> Sample:
    """The whole without the part."""
    return Sample(
        whole.requests - part.requests,
        whole.seconds - part.seconds,
        whole.front - part.front,
        whole.postgres - part.postgres,
    )


@dataclass(frozen=True)
class Round:
    """pgbench's and the server's sample of one operation, taken one after the other."""

    floor: Sample
    server: Sample

    @property
    def efficiency(self) -> float:
        """pgbench's CPU (client and PostgreSQL) divided by ours (server and PostgreSQL): higher is better."""
        return self.floor.cpu / self.server.cpu


@dataclass(frozen=True)
class Spread:
    """The middle one of several figures, with the least and the greatest."""

    median: float
    least: float
    greatest: float


def spread(figures: Sequence[float]) -> Spread:
    """Of one figure at least."""
    return Spread(median(figures), min(figures), max(figures))


def efficiency(rounds: Sequence[Round]) -> Spread:
    """The rounds' efficiencies: each compares what was measured side by side, and noise of minutes cancels out."""
    return spread([one.efficiency for one in rounds])


def microseconds(samples: Sequence[Sample]) -> tuple[float, float]:
    """The samples' medians of front and PostgreSQL, in microseconds of processor time a request."""
    return (
        median(one.front / one.requests * 1e6 for one in samples),
        median(one.postgres / one.requests * 1e6 for one in samples),
    )


class Spoilt(Exception):
    """Something failed while it was measured: the figures are worth nothing."""
