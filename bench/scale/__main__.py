"""``python -m bench.scale``, which is ``make bench-scale``."""

import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from app.cli.output import plain_errors
from app.settings import ROOT
from bench import machine
from bench.command import end_on_sigterm
from bench.figures import BenchmarkError
from bench.scale import cases, loading, page, site, state
from bench.scale.data import CONTROL, CONTROL_ORGANIZATIONS, ORGANIZATIONS

_LOAD = {
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "max_connections": "100",
    "maintenance_work_mem": "512MB",
}


def _say(sentence: str) -> None:
    print(time.strftime("%H:%M:%S"), sentence, file=sys.stderr, flush=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--leads",
    type=click.IntRange(100_000, 100_000_000),
    default=10_000_000,
    show_default=True,
    help=f"Leads of the {ORGANIZATIONS:,} organizations. They can't be changed once the folder exists.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / ".cache" / "scale",
    help="Where the databases are kept. Some 6 KB for each lead.  [default: .cache/scale]",
)
@click.option("--processes", type=click.IntRange(1, 32), default=2, show_default=True, help="Imports at the same time.")
@click.option("--blocks", type=click.IntRange(3, 200), default=20, show_default=True, help="Blocks of each request.")
@click.option("--shared-buffers", default="2GB", show_default=True, help="PostgreSQL's shared_buffers.")
@click.option("--only", type=click.Choice(["load", "measure"]), help="Only this step.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures here.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Write a chart (SVG) here.")
@click.option(
    "--page", "page_path", type=click.Path(dir_okay=False, path_type=Path), help="Renew the tables of this page."
)
@click.option(
    "--from-json",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measure nothing: use these figures.",
)
def scale(
    leads: int,
    folder: Path,
    processes: int,
    blocks: int,
    shared_buffers: str,
    only: str | None,
    json_path: Path | None,
    picture: Path | None,
    page_path: Path | None,
    from_json: Path | None,
) -> None:
    """Load leads of 1,000 organizations, and compare the cost of requests with a database of 10,000 leads.

    The load can be ended at any time. Run the command again with the same folder: it goes on.
    Remove the folder when you no longer need it.
    """
    try:
        results = (
            json.loads(from_json.read_text())
            if from_json
            else _run(leads, folder, processes, blocks, shared_buffers, only)
        )
    except BenchmarkError as error:
        click.echo(error, err=True)
        sys.exit(1)
    if not results:
        return
    if json_path:
        json_path.write_text(json.dumps(results, indent=1) + "\n")
    if picture:
        picture.write_text(page.picture(results), encoding="utf-8")
    if page_path:
        page_path.write_text(page.renewed(page_path.read_text(encoding="utf-8"), results), encoding="utf-8")
    print(*page.tables(results).values(), sep="\n\n")


def _run(leads: int, folder: Path, processes: int, blocks: int, buffers: str, only: str | None) -> dict[str, Any]:
    plan = {"large": (leads, ORGANIZATIONS), "control": (CONTROL, CONTROL_ORGANIZATIONS)}
    options = _LOAD | {"shared_buffers": buffers}
    if only != "measure":
        for name, (count, organizations) in plan.items():
            if (folder / name / "loaded.json").exists():
                continue
            # A crash of the machine would damage the database, which is then made again.
            with site.running(folder / name, count, organizations, options | {"fsync": "off"}, _say) as each:
                loading.load(each, processes, _say)
                health, size = state.health(each), state.sizes(each)
                _say(f"{name}: vacuum")
                loaded = {"vacuum_s": state.vacuum(each), "health": health, "sizes_before_vacuum": size}
                (folder / name / "loaded.json").write_text(json.dumps(loaded))
    if only == "load":
        return {}
    with ExitStack() as stack:
        sites = {
            name: stack.enter_context(site.running(folder / name, *extent, options, _say))
            for name, extent in plan.items()
        }
        for each in sites.values():
            # A load that was killed leaves its server running.
            if each.one("show fsync") != "on":
                raise BenchmarkError(f"fsync is off. Stop the PostgreSQL of {each.folder}, and run the command again.")
            # A search reads more leads while many wait for the worker.
            loading.settle(each)
        results: dict[str, Any] = {"context": machine.facts(sites["large"].one("show server_version"))}
        for name, each in sites.items():
            samples = [json.loads(line) for line in (each.folder / "load.jsonl").read_text().splitlines()]
            results[name] = {
                "leads": each.leads,
                "organizations": len(each.organizations),
                "largest": each.organizations[0].leads,
                "sizes": state.sizes(each),
                "samples": samples,
                **json.loads((each.folder / "loaded.json").read_text()),
            }
        results["cases"] = cases.measure(sites["large"], sites["control"], blocks, _say)
        results["views"] = cases.measure_views(sites["large"], sites["control"], blocks, _say)
        results["load_average"] = machine.load()
    return results


if __name__ == "__main__":
    end_on_sigterm()
    with plain_errors():
        scale(standalone_mode=False)
