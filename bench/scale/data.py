"""The leads: how many each organization has, and the rows of the files that are imported.

A row depends only on its number, so that a file that was lost is made again with the same bytes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

ORGANIZATIONS = 1_000
CONTROL = 10_000
"""Leads of the control's only large organization. One organization of the large database has as many."""
CONTROL_ORGANIZATIONS = 100
"""The others have one lead each, so that the control does not read tables of one row."""
SHARE = 10
"""The largest organization has about one in SHARE of all leads."""
PART = 50_000
"""Rows of a file."""
PERIOD = timedelta(days=3 * 365)
"""The leads of an organization were created in this period, at even distances."""

SOURCES = ("google_ads", "website", "referral")
STAGES = ("new", "contacted", "qualified", "lost")
SHARED_EMAIL, SHARED_PHONE = "office@example.com", "+15550100199"
"""Those of one lead in ten."""
_FIRST = (
    "Sarah", "Thomas", "Ingrid", "Pedro", "Yuki", "Fatima", "Oliver", "Nadia", "Karl", "Elena", "Bruno", "Chloe",
    "Darius", "Gwen", "Hakim", "Julia", "Lars", "Maria", "Quentin", "Rosa",
)  # fmt: skip
_LAST = ("Mitchell", *(f"{first}{second}son" for first in "BDFGHKLNPRST" for second in ("a", "e", "i", "o", "u")))
"""Each is the name of one lead in 61."""


@dataclass(frozen=True)
class Part:
    """Rows of one organization: one file of an import."""

    organization: int
    first: int
    rows: int

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"{self.organization}-{self.first}"


def sizes(leads: int, organizations: int = ORGANIZATIONS) -> list[int]:
    """Returns the leads of each organization, the largest first, by Zipf's law with the exponent that
    gives the largest its share. One of them has CONTROL leads.
    """
    if leads == CONTROL:
        return [leads, *[1] * (organizations - 1)]
    low, high = 0.0, 2.0
    for _ in range(60):
        exponent = (low + high) / 2
        if sum(rank**-exponent for rank in range(1, organizations + 1)) > SHARE:
            low = exponent
        else:
            high = exponent
    result = [max(1, int(leads / SHARE * rank**-low)) for rank in range(1, organizations + 1)]
    like = min(range(1, organizations), key=lambda index: abs(result[index] - CONTROL))
    result[like] = CONTROL
    result[0] += leads - sum(result)
    return result


def parts(leads: list[int]) -> list[Part]:
    """Returns the files. They follow each other as in production: one of each organization in turn."""
    rounds = range(0, max(leads), PART)
    return [
        Part(index, first, min(PART, total - first))
        for first in rounds
        for index, total in enumerate(leads)
        if first < total
    ]


def lines(part: Part, total: int, base: datetime) -> Iterator[str]:
    """Returns the rows of a file as NDJSON. total: the leads of the organization. base: the newest time."""
    step = PERIOD / total
    for number in range(part.first, part.first + part.rows):
        row = {
            "name": f"{_FIRST[number % len(_FIRST)]} {_LAST[number // len(_FIRST) % len(_LAST)]}",
            "email": SHARED_EMAIL if number % 10 == 7 else f"lead{number:07}@example.com",
            "phone": SHARED_PHONE if number % 10 == 3 else f"+1555{number:07}",
            "reference": f"ref-{number}",
            "source": SOURCES[number % 3],
            "pipeline_stage": STAGES[number % 4],
            "industry": "residential",
            "pain_points": "Recurring basement moisture after spring rain",
            "timeline": "this_week",
            "budget_range": "5k_to_15k",
            "created_at": (base - step * (number + 1)).isoformat(timespec="milliseconds"),
        }
        yield json.dumps(row) + "\n"
