"""What a worker has counted, and what it has read from the database, for the metrics (app/metrics.py)."""

import time
from collections import Counter
from dataclasses import dataclass, field

PERIOD = 5.0
"""Seconds between two readings of the database."""


@dataclass(frozen=True)
class Figure:
    """A number about the database."""

    name: str
    label: str
    """The state, table or release that it belongs to. Empty: it has none."""
    value: float


@dataclass
class Totals:
    """The numbers of one worker. The thread that serves the metrics only reads them."""

    pushes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """The attempts that have ended, by vendor, outcome and the push's state afterwards."""
    deliveries: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The attempts of deliveries to webhooks that have ended, by outcome and the delivery's state afterwards."""
    running: Counter[str] = field(default_factory=Counter)
    """The pushes and the deliveries that run."""
    rounds: dict[str, float] = field(default_factory=dict)
    """When the sealer, the indexer, the counter and the queuer have last looked at all organizations (time.time)."""
    failing: Counter[str] = field(default_factory=Counter)
    """The organizations that a task leaves out for now, because of an error."""
    figures: tuple[Figure, ...] | None = None
    """None: the last reading has failed."""
    figures_at: float = 0.0
    """When the figures were read (time.time)."""
    oldest_transaction: float = 0.0
    """Seconds for which the oldest transaction has been seen."""
    _transactions: dict[str, float] = field(default_factory=dict)

    def take(self, figures: list[Figure]) -> None:
        """Keeps a reading of the database."""
        # PostgreSQL does not tell this login when another login's transaction has begun.
        now = time.monotonic()
        seen = [figure.label for figure in figures if figure.name == "transaction"]
        self._transactions = {each: self._transactions.get(each, now) for each in seen}
        self.oldest_transaction = now - min(self._transactions.values(), default=now)
        self.figures = tuple(figure for figure in figures if figure.name != "transaction")
        self.figures_at = time.time()
