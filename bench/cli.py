"""``make bench``: prints figures to standard output, and progress to standard error."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console

from app import settings
from app.cli.output import Mistake
from bench import chart, compare, database, load, parts, report
from bench.compare import Options
from bench.figures import BenchmarkError
from bench.measure import Plan
from bench.operations import PAIRS
from bench.peers import PEERS


class PeerNames(click.ParamType[tuple[str, ...]]):
    """Names of peers, separated by commas, or "none"."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Returns the names in the order of PEERS."""
        if isinstance(value, tuple):
            return value
        names = set() if value == "none" else set(value.split(","))
        if names - PEERS.keys():
            self.fail(
                f"{value!r}: the peers are {', '.join(PEERS)}. Separate them with commas, or write none.", param, ctx
            )
        return tuple(name for name in PEERS if name in names)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Rounds of each measurement.")
@click.option("--seconds", type=click.IntRange(1, 60), default=5, show_default=True, help="Seconds of each run.")
@click.option(
    "--clients",
    type=click.IntRange(1, 1000),
    multiple=True,
    default=(16,),
    show_default=True,
    help="HTTP clients. Can be repeated: everything is measured with each number.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 40),
    help="Connections of each server to PostgreSQL, and pgbench's.  [default: LEADS_CONNECTIONS, or the server's]",
)
@click.option(
    "--leads",
    type=click.IntRange(10_000, 10_000_000),
    default=database.LEADS,
    show_default=True,
    help=f"Leads of all {PAIRS} organizations. With less than the default, the filtered list has less than 50 rows.",
)
@click.option(
    "--peers",
    type=PeerNames(),
    default=tuple(PEERS),
    help=f"Peers, separated by commas, or none.  [default: {','.join(PEERS)}]",
)
@click.option(
    "--postgrest",
    metavar="URL",
    help="Adds a PostgREST that you run on this machine, as this user. The benchmark writes a configuration file for "
    "it, with this host and port, prints the command, and waits until PostgREST answers.",
)
@click.option(
    "--against",
    metavar="COMMIT",
    help="Adds another commit of this repository, with its own packages and database, and compares PostgreSQL's part.",
)
@click.option("--json", "json_file", type=click.File("w", lazy=False), help="Write all figures to this file.")
@click.option(
    "--picture", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write a chart (SVG) to this file."
)
@click.option(
    "--only",
    "names",
    type=click.Choice([*parts.SENTENCES]),
    multiple=True,
    help="Measure this part instead of the comparison. Can be repeated.",
)
def bench(
    rounds: int,
    seconds: int,
    clients: tuple[int, ...],
    connections: int | None,
    leads: int,
    peers: tuple[str, ...],
    postgrest: str | None,
    against: str | None,
    json_file: TextIO | None,
    path: Path | None,
    names: tuple[str, ...],
) -> None:
    """Compare the processor time of a request in the server and in PostgreSQL with pgbench and other servers.

    Exit code 1: a measurement has failed, or a server did not answer every request with 2xx.
    """
    if not Path("/proc/self/stat").exists():
        raise Mistake("The benchmark reads processor time from /proc, which exists only on Linux.")
    if not names:
        load.program()
    plan = Plan(rounds, seconds, connections or settings.read().connections)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="leads-bench-") as name, console.status("…") as status:

        def say(sentence: str) -> None:
            status.update(sentence)
            if not console.is_terminal:
                print(sentence, file=sys.stderr, flush=True)

        folder = Path(name)
        # If root runs the benchmark, PostgreSQL runs as another user, which must be able to enter.
        folder.chmod(0o755)
        try:
            if names:
                results = parts.run(names, plan, folder, say)
            else:
                results = compare.run(Options(plan, clients, leads, peers, postgrest, against), folder, say)
        except BenchmarkError as error:
            status.stop()
            click.echo(error, err=True)
            sys.exit(1)
    if json_file:
        json_file.write(json.dumps(results, indent=2) + "\n")
    if names:
        for part in names:
            print(*parts.SENTENCES[part](results[part]), sep="\n")
        return
    if path:
        path.write_text(chart.picture(results, clients[0]), encoding="utf-8")
    _print(results, clients)


def _print(results: dict[str, Any], clients: Sequence[int]) -> None:
    out = Console(width=200, soft_wrap=True)
    for count in clients:
        out.print(report.cost_table(results, count), report.speed_table(results, count))
    out.print(report.server_table(results))
    for sentence in [*(goal for count in clients for goal in report.goals(results, count)), *report.sentences(results)]:
        out.print(sentence, highlight=False)
    failed = [
        f"{title}: {count} requests failed."
        for side, title in results["titles"].items()
        if (count := report.failures(results, side))
    ]
    if failed:
        click.echo("\n".join(failed), err=True)
        sys.exit(1)
