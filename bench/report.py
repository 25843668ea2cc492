"""The report: a table, sentences, and all figures as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.table import Table

from bench.figures import Round, Sample, efficiency, microseconds, spread
from bench.operations import OPERATIONS

START_GOAL = 3.0
"""The maximum duration of a second start, in seconds."""

REFERENCE_GOAL = 0.010
"""The maximum duration of a response with the whole reference, /openapi.json, in seconds."""


def operations(rounds: Mapping[str, Sequence[Round]]) -> dict[str, Any]:
    """Returns the figures of each operation."""
    return {
        operation.name: {
            "goal": operation.goal,
            "efficiency": asdict(efficiency(rounds[operation.name])),
            "is_reached": efficiency(rounds[operation.name]).median >= operation.goal,
            "pgbench": _side([r.floor for r in rounds[operation.name]]),
            "leads": _side([r.server for r in rounds[operation.name]]),
            "rounds": [asdict(r) | {"efficiency": r.efficiency} for r in rounds[operation.name]],
        }
        for operation in OPERATIONS
        if rounds.get(operation.name)
    }


def timing(seconds: Sequence[float], goal: float) -> dict[str, Any]:
    """Returns the figures of durations that should stay below the goal, in seconds."""
    return {"goal": goal, "seconds": asdict(spread(seconds)), "is_reached": spread(seconds).median < goal}


def _side(samples: Sequence[Sample]) -> dict[str, float | None]:
    front, postgres = microseconds(samples)
    p50 = [sample.p50 for sample in samples if sample.p50 is not None]
    p99 = [sample.p99 for sample in samples if sample.p99 is not None]
    return {
        "front_us": front,
        "postgres_us": postgres,
        "per_second": median(sample.rate for sample in samples),
        "p50_ms": median(p50) if p50 else None,
        "p99_ms": median(p99) if p99 else None,
    }


def table(figures: Mapping[str, Any]) -> Table:
    """Returns a table with one row per operation."""
    rows = Table(box=None, pad_edge=False, header_style="bold")
    rows.add_column("")
    for name in (
        "pgbench\nclient + PostgreSQL\nCPU µs",
        "leads\nserver + PostgreSQL\nCPU µs",
        "efficiency\nmedian (least-greatest)\n",
        "goal\n\n",
        "\n\n",
        "leads\nrequests/s\n(noisy)",
        "leads\np50 / p99\nms",
    ):
        rows.add_column(name, justify="right", no_wrap=True)
    for name, operation in figures.items():
        reached, floor, leads = operation["efficiency"], operation["pgbench"], operation["leads"]
        rows.add_row(
            name,
            "{front_us:.0f} + {postgres_us:.0f}".format(**floor),
            "{front_us:.0f} + {postgres_us:.0f}".format(**leads),
            "{median:.2f} ({least:.2f}-{greatest:.2f})".format(**reached),
            f"{operation['goal']:.2f}",
            _word(operation),
            "{per_second:,.0f}".format(**leads),
            "{p50_ms:.1f} / {p99_ms:.1f}".format(**leads),
        )
    return rows


def sentences(results: Mapping[str, Any]) -> list[str]:
    """Returns sentences about the machine, the options and the durations."""
    facts, options = results["machine"], results["options"]
    commit = f"commit {facts['commit']}{' with uncommitted changes' if facts['is_changed'] else ''}"
    context = [
        f"{facts['cores']} cores ({facts['machine']}), load {facts['load_at_start']} at the start and "
        f"{facts['load_at_end']} at the end; PostgreSQL {facts['postgresql']}, Python {facts['python']}; {commit}.",
        f"Medians of {options['rounds']} rounds of {options['seconds']} s each; {options['connections']} HTTP "
        f"connections, one server process, {options['clients']} connections to PostgreSQL on both sides; fsync on.",
        "Efficiency is pgbench's CPU divided by ours for the same statement. Higher is better. Requests/s and latency "
        "are less reliable than CPU, because wrk runs on the same fully loaded machine.",
    ]
    start, page = results["second_start"], results["reference"]
    return [
        f"Second start: {start['seconds']['median']:.1f} s; goal under {start['goal']:.0f} s, {_word(start)}.",
        f"/openapi.json: {page['seconds']['median'] * 1000:.1f} ms; goal under {page['goal'] * 1000:.0f} ms, "
        f"{_word(page)}.",
        *context,
    ]


def _word(figure: Mapping[str, Any]) -> str:
    return "reached" if figure["is_reached"] else "missed"
