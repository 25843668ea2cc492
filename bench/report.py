"""The report of the comparison: tables and sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import MARKDOWN
from rich.table import Table

from bench.compare import FLOOR
from bench.operations import CREATE, OPERATIONS, PATCH
from bench.sides import AGAINST, PRODUCT

WAIT_GOAL = 6.0
"""The maximum of p99 divided by p50."""

MEMORY_GOAL = 45.0
"""The maximum memory of a server process, in MiB."""

_WRITES = (CREATE.name, PATCH.name)
_GOALS: dict[str, dict[str, float]] = {
    FLOOR: {operation.name: operation.goal for operation in OPERATIONS},
    "fastify": {operation.name: 1.0 for operation in OPERATIONS},
    "postgraphile": {operation.name: 2.0 for operation in OPERATIONS},
    "fastapi": {operation.name: 5.0 if operation.name in _WRITES else 10.0 for operation in OPERATIONS},
}
"""The processor time of each side, divided by the product's, at least."""
_POSTGRES_GOALS = {"read one": 0.5, "list 50": 0.4, "list filtered": 0.4, "create": 0.6, "patch": 0.6}
"""PostgreSQL's processor time, divided by that of the commit in --against, at most."""


def cost_table(results: Mapping[str, Any], clients: int) -> Table:
    """Returns the processor time: a row for each side, and a column for each operation."""

    def cell(figures: Mapping[str, Any]) -> str:
        return "{front_us:,.0f}+{postgres_us:,.0f} ({ratio[median]:.2f})".format(**figures)

    title = f"CPU µs of a request, server + PostgreSQL (total ÷ the product's total); {clients} clients"
    return _table(results, clients, title, cell)


def speed_table(results: Mapping[str, Any], clients: int) -> Table:
    """Returns the requests per second and the latency, in the same form."""

    def cell(figures: Mapping[str, Any]) -> str:
        if figures["p50_ms"] is None:
            return "{per_second:,.0f}".format(**figures)
        return "{per_second:,.0f}; {p50_ms:.1f} / {p99_ms:.1f}".format(**figures)

    return _table(results, clients, f"Requests per second; p50 / p99 in ms; {clients} clients", cell)


def _table(results: Mapping[str, Any], clients: int, title: str, cell: Any) -> Table:
    comparison = results["comparison"][clients]
    table = Table(box=MARKDOWN, title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for operation in comparison:
        table.add_column(operation, justify="right", no_wrap=True)
    for side, name in results["titles"].items():
        table.add_row(name, *(cell(sides[side]) for sides in comparison.values()))
    return table


def server_table(results: Mapping[str, Any]) -> Table:
    """Returns the start, the memory and the failures of each server."""
    table = Table(box=MARKDOWN, title="Servers", title_justify="left", title_style="bold")
    table.add_column("")
    for name in ("start, s", "PSS of each process, MiB", "RSS of each process, MiB", "failures"):
        table.add_column(name, justify="right")
    for side, server in results["servers"].items():
        table.add_row(
            results["titles"][side],
            "" if server["start_s"] is None else f"{server['start_s']:.2f}",
            *(" + ".join(f"{each[kind]:.0f}" for each in server["memory_mib"]) for kind in ("pss", "rss")),
            str(failures(results, side)),
        )
    return table


def failures(results: Mapping[str, Any], side: str) -> int:
    """Returns the number of requests of a side that did not get a response of 2xx."""
    comparisons = results["comparison"].values()
    return sum(sides[side]["failures"] for comparison in comparisons for sides in comparison.values())


def goals(results: Mapping[str, Any], clients: int) -> list[str]:
    """Returns a sentence for each goal of the comparison."""
    comparison, titles = results["comparison"][clients], results["titles"]
    found = []
    for side, wanted in _GOALS.items():
        if side not in titles:
            continue
        ratios = {name: sides[side]["ratio"]["median"] for name, sides in comparison.items()}
        missed = [f"{name} {ratio:.2f} of {wanted[name]:.2f}" for name, ratio in ratios.items() if ratio < wanted[name]]
        found.append(f"{titles[side]} ÷ {titles[PRODUCT]}: {_verdict(missed)}")
    if AGAINST in titles:
        ratios = {name: 1 / sides[AGAINST]["postgres_ratio"]["median"] for name, sides in comparison.items()}
        shown = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        missed = [name for name, goal in _POSTGRES_GOALS.items() if ratios[name] > goal]
        found.append(f"PostgreSQL's part, {titles[PRODUCT]} ÷ {titles[AGAINST]}: {shown}; {_verdict(missed)}")
    waits = {name: sides[PRODUCT]["p99_ms"] / sides[PRODUCT]["p50_ms"] for name, sides in comparison.items()}
    missed = [f"{name} {ratio:.1f} of {WAIT_GOAL:.0f}" for name, ratio in waits.items() if ratio > WAIT_GOAL]
    found.append(f"p99 ÷ p50 of {titles[PRODUCT]}: {_verdict(missed)}")
    return [f"{clients} clients. {sentence}" for sentence in found]


def sentences(results: Mapping[str, Any]) -> list[str]:
    """Returns sentences about the machine and the options."""
    facts, options = results["machine"], results["options"]
    commit = f"commit {facts['commit']}{' with uncommitted changes' if facts['is_changed'] else ''}"
    largest = max(process["pss"] for process in results["servers"][PRODUCT]["memory_mib"])
    return [
        f"Memory of the largest process of {results['titles'][PRODUCT]}: {largest:.1f} MiB, below {MEMORY_GOAL:.0f}: "
        f"{_word(largest < MEMORY_GOAL)}.",
        f"{facts['date']}: {facts['cores']} cores ({facts['machine']}), load {facts['load_at_start']} at the start and "
        f"{facts['load_at_end']} at the end; PostgreSQL {facts['postgresql']}, Python {facts['python']}; {commit}.",
        f"Medians of the rounds ({options['rounds']} of {options['seconds']} s each); {options['leads']:,} leads; each "
        f"server has one process and {options['connections']} connections to PostgreSQL, as many as pgbench; fsync on.",
        "Requests/s and latency are less reliable than CPU, because wrk runs on the same fully loaded machine.",
    ]


def _verdict(missed: Sequence[str]) -> str:
    return f"missed for {', '.join(missed)}." if missed else "all goals are reached."


def _word(is_reached: bool) -> str:
    return "reached" if is_reached else "missed"
