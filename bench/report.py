"""What is shown: a table for people, and all figures as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.table import Table

from bench.figures import Round, Sample, efficiency, microseconds, spread
from bench.operations import OPERATIONS

START_GOAL = 3.0
"""Seconds of a second start."""

REFERENCE_GOAL = 0.010
"""Seconds of an answer with the whole reference, /openapi.json."""


def operations(rounds: Mapping[str, Sequence[Round]]) -> dict[str, Any]:
    """Each operation's figures."""
    return {
        one.name: {
            "goal": one.goal,
            "efficiency": asdict(efficiency(rounds[one.name])),
            "is_reached": efficiency(rounds[one.name]).median >= one.goal,
            "pgbench": _side([r.floor for r in rounds[one.name]]),
            "leads": _side([r.server for r in rounds[one.name]]),
            "rounds": [asdict(r) | {"efficiency": r.efficiency} for r in rounds[one.name]],
        }
        for one in OPERATIONS
        if rounds.get(one.name)
    }


def timing(seconds: Sequence[float], goal: float) -> dict[str, Any]:
    """The figures of something that is to take less than the goal, seconds."""
    return {"goal": goal, "seconds": asdict(spread(seconds)), "is_reached": spread(seconds).median < goal}


def _side(samples: Sequence[Sample]) -> dict[str, float | None]:
    front, postgres = microseconds(samples)
    p50 = [one.p50 for one in samples if one.p50 is not None]
    p99 = [one.p99 for one in samples if one.p99 is not None]
    return {
        "front_us": front,
        "postgres_us": postgres,
        "per_second": median(one.rate for one in samples),
        "p50_ms": median(p50) if p50 else None,
        "p99_ms": median(p99) if p99 else None,
    }


def table(figures: Mapping[str, Any]) -> Table:
    """The operations, a row each."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    found.add_column("")
    for name in (
        "pgbench\nclient + PostgreSQL\nCPU µs",
        "leads\nserver + PostgreSQL\nCPU µs",
        "efficiency\nmedian (least-greatest)\n",
        "goal\n\n",
        "\n\n",
        "leads\nrequests/s\n(noisy)",
        "leads\np50 / p99\nms",
    ):
        found.add_column(name, justify="right", no_wrap=True)
    for name, one in figures.items():
        seen, floor, leads = one["efficiency"], one["pgbench"], one["leads"]
        found.add_row(
            name,
            "{front_us:.0f} + {postgres_us:.0f}".format(**floor),
            "{front_us:.0f} + {postgres_us:.0f}".format(**leads),
            "{median:.2f} ({least:.2f}-{greatest:.2f})".format(**seen),
            f"{one['goal']:.2f}",
            _word(one),
            "{per_second:,.0f}".format(**leads),
            "{p50_ms:.1f} / {p99_ms:.1f}".format(**leads),
        )
    return found


def sentences(whole: Mapping[str, Any]) -> list[str]:
    """What else there is to say."""
    facts, options = whole["machine"], whole["options"]
    commit = f"commit {facts['commit']}{', changed since' if facts['is_changed'] else ''}"
    said = [
        f"{facts['cores']} cores ({facts['machine']}), load {facts['load_at_start']} at the start and "
        f"{facts['load_at_end']} at the end; PostgreSQL {facts['postgresql']}, Python {facts['python']}; {commit}.",
        f"Medians of {options['rounds']} rounds of {options['seconds']} s each; {options['connections']} HTTP "
        f"connections, one worker, {options['clients']} connections to PostgreSQL on either side; fsync on.",
        "Efficiency is pgbench's CPU divided by ours for the same statement: higher is better. CPU holds still where "
        "requests/s and latency don't: those are of a machine that also runs wrk, at full load.",
    ]
    begun = whole["second_start"]
    took = f"{begun['seconds']['median']:.1f} s"
    page = whole["reference"]
    return [
        f"Second start: {took}; goal under {begun['goal']:.0f} s, {_word(begun)}.",
        f"/openapi.json: {page['seconds']['median'] * 1000:.1f} ms; goal under {page['goal'] * 1000:.0f} ms, "
        f"{_word(page)}.",
        *said,
    ]


def _word(figure: Mapping[str, Any]) -> str:
    return "reached" if figure["is_reached"] else "missed"
