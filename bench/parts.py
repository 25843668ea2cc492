"""What ``make bench`` measures beside the comparison, each by its name in --only."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import bulk, crm, database, isolation, pages, scoring, stages, start, webhooks
from bench.measure import Plan, Say

SENTENCES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "isolation": isolation.sentences,
    "scoring": scoring.sentences,
    "crm": crm.sentences,
    "start": start.sentences,
    "pages": pages.sentences,
    "stages": stages.sentences,
    "bulk": bulk.sentences,
    "webhooks": webhooks.sentences,
}


def run(names: Sequence[str], plan: Plan, folder: Path, say: Say) -> dict[str, Any]:
    """Returns the figures of the parts. Raises BenchmarkError."""
    results: dict[str, Any] = {}
    if "start" in names:
        say("starting the server with its own PostgreSQL, four times")
        results["start"] = start.measure(folder)
    if "pages" in names:
        results["pages"] = pages.measure(folder, say)
    if "stages" in names:
        results["stages"] = stages.measure(folder, say)
    if {*names} <= {"start", "pages", "stages"}:
        return results
    say("creating the database")
    with database.running(folder / "database") as measured:
        measured.server_version()
        if "isolation" in names:
            results["isolation"] = isolation.measure(plan, measured, say)
        if "scoring" in names:
            say(f"scoring: single leads, and a backtest of {scoring.LEADS:,}")
            results["scoring"] = scoring.measure(measured)
        if "crm" in names:
            say(f"the outbox: {crm.LEADS} pushes, and an idle worker for {crm.IDLE:.0f} s")
            results["crm"] = crm.measure(measured, folder)
        if "webhooks" in names:
            results["webhooks"] = webhooks.measure(measured, folder, say)
        if "bulk" in names:
            results["bulk"] = bulk.measure(plan, measured, folder, say)
    return results
