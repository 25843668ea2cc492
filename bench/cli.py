"""``make bench``: prints figures to standard output, and progress to standard error."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console

from app import settings
from app.cli.output import Mistake
from bench import crm, database, isolation, load, machine, measure, report, scoring, server
from bench.figures import BenchmarkError
from bench.operations import PAIRS


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Rounds of each measurement.")
@click.option(
    "--seconds", type=click.IntRange(1, 60), default=4, show_default=True, help="Seconds of each measurement."
)
@click.option("--connections", type=click.IntRange(1, 64), default=16, show_default=True, help="Connections of wrk.")
@click.option("--json", "json_file", type=click.File("w", lazy=False), help="Write all figures to this file.")
def bench(rounds: int, seconds: int, connections: int, json_file: TextIO | None) -> None:
    """Measure the processor time of a request in the server and PostgreSQL, compared with pgbench.

    LEADS_CONNECTIONS sets the number of the server's connections to PostgreSQL,
    and of pgbench's clients.
    """
    load.program()
    if not Path("/proc/self/stat").exists():
        raise Mistake("The benchmark reads processor time from /proc, which exists only on Linux.")
    plan = measure.Plan(rounds, seconds, connections, min(settings.read().connections, PAIRS))
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="leads-bench-") as name, console.status("…") as status:

        def say(sentence: str) -> None:
            status.update(sentence)
            if not console.is_terminal:
                print(sentence, file=sys.stderr, flush=True)

        try:
            results = _measured(plan, Path(name), say)
        except BenchmarkError as error:
            status.stop()
            click.echo(error, err=True)
            sys.exit(1)
    if json_file:
        json_file.write(json.dumps(results, indent=2) + "\n")
    out = Console(width=120, soft_wrap=True)
    out.print(report.table(results["operations"]))
    for sentence in [
        *report.sentences(results),
        *isolation.sentences(results["isolation"]),
        *scoring.sentences(results["scoring"]),
        *crm.sentences(results["crm"]),
    ]:
        out.print(sentence, highlight=False)


def _measured(plan: measure.Plan, folder: Path, say: measure.Say) -> dict[str, Any]:
    # If root runs the benchmark, PostgreSQL runs as another user, which must be able to enter.
    folder.chmod(0o755)
    load_at_start = machine.load()
    say("starting the server with its own PostgreSQL, four times")
    starts = server.second_starts(folder, 3)
    say("creating the database: 100 organizations with 1,000 leads each")
    with (
        database.running(folder / "database") as measured,
        server.running(folder / "server.log", DATABASE_URL=measured.url) as served,
    ):
        facts = machine.facts(measured.server_version()) | {"load_at_start": load_at_start}
        pages = server.reference(served.base, 50)
        rounds = measure.rounds(plan, measured, served, folder, say)
        isolated = isolation.measure(plan, measured, say)
        say(f"scoring: single leads, and a backtest of {scoring.LEADS:,}")
        scored = scoring.measure(measured)
        say(f"the outbox: {crm.LEADS} pushes, and an idle worker for {crm.IDLE:.0f} s")
        pushed = crm.measure(measured, folder)
    return {
        "machine": facts | {"load_at_end": machine.load()},
        "options": {
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "connections": plan.connections,
            "clients": plan.clients,
        },
        "second_start": report.timing(starts, report.START_GOAL),
        "reference": report.timing(pages, report.REFERENCE_GOAL),
        "operations": report.operations(rounds),
        "isolation": isolated,
        "scoring": scored,
        "crm": pushed,
    }
