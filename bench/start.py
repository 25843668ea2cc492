"""The duration of a start of ``leads serve`` with its own PostgreSQL, and of a response with the
whole reference.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from bench import server
from bench.figures import spread

START_GOAL = 1.0
"""The maximum duration of a second start, in seconds."""
REFERENCE_GOAL = 0.010
"""The maximum duration of a response with /openapi.json, in seconds."""
_STARTS = 3
_RESPONSES = 50


def measure(folder: Path) -> dict[str, Any]:
    """Returns the figures. Raises BenchmarkError."""
    starts = []
    for _ in range(1 + _STARTS):
        # The first start creates the database.
        with server.running(folder / "start.log", LEADS_DATA_DIR=str(folder / "start")) as served:
            starts.append(served.start)
            pages = _reference(served.base)
    return {"second_start": timing(starts[1:], START_GOAL), "reference": timing(pages, REFERENCE_GOAL)}


def sentences(results: dict[str, Any]) -> list[str]:
    """Returns the figures as sentences."""
    start, page = results["second_start"], results["reference"]
    return [
        f"Second start: {start['seconds']['median']:.1f} s; the goal is less than {start['goal']:.0f} s: "
        f"{_word(start)}.",
        f"/openapi.json: {page['seconds']['median'] * 1000:.1f} ms; the goal is less than "
        f"{page['goal'] * 1000:.0f} ms: {_word(page)}.",
    ]


def timing(seconds: Sequence[float], goal: float) -> dict[str, Any]:
    """Returns the figures of durations that should stay below the goal, in seconds."""
    return {"goal": goal, "seconds": asdict(spread(seconds)), "is_reached": spread(seconds).median < goal}


def _reference(base: str) -> list[float]:
    """Returns the seconds of several responses over one connection."""
    durations = []
    with httpx.Client(base_url=base, trust_env=False) as client:
        for _ in range(_RESPONSES):
            start = time.perf_counter()
            client.get("/openapi.json").raise_for_status()
            durations.append(time.perf_counter() - start)
    return durations


def _word(figure: dict[str, Any]) -> str:
    return "reached" if figure["is_reached"] else "missed"
