"""The tables of docs/scale.md, its picture, and the model for more leads. All are computed from the figures."""

import re
from collections.abc import Iterable, Mapping
from math import ceil, log
from typing import Any

import leather

from bench.scale.cases import DEPTHS

GOAL = 1.2
"""The cost of a request, divided by that with 10,000 leads, at most."""

# The model.
LEADS, ORGANIZATIONS = 1_000_000_000, 10_000
CELL_BYTES = 10**12
"""Data of a cell."""
CHANGES = 3
"""Changes of each lead in its first year."""
YEAR = 365 * 86_400
FREEZE_AGE = 200_000_000
"""PostgreSQL's default of autovacuum_freeze_max_age."""
ENTRIES = 100
"""Entries of a page of an index with an organization, a time and a lead: 8 KB, two thirds full."""

Results = Mapping[str, Any]


def tables(results: Results) -> dict[str, str]:
    """Returns the tables by their names."""
    return {
        "context": _context(results),
        "requests": _requests(results),
        "views": _views(results),
        "sizes": _sizes(results),
        "load": _load(results),
        "autovacuum": _autovacuum(results),
        "model": _model(results),
    }


def renewed(text: str, results: Results) -> str:
    """Returns the page with its tables renewed: what is between <!-- begin NAME --> and <!-- end NAME -->."""
    made = tables(results)
    return re.sub(
        r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)",
        lambda match: f"{match[1]}{made[match[2]]}\n{match[3]}",
        text,
        flags=re.DOTALL,
    )


def picture(results: Results) -> str:
    """Returns a chart with the ratio of each request in the largest organization."""
    bars = [(row["ratio"], row["name"]) for row in results["cases"] if row["target"] == "largest"]
    chart = leather.Chart(
        f"Cost with {results['large']['leads']:,} leads, divided by that with {results['control']['largest']:,}"
        f" (goal: at most {GOAL})"
    )
    chart.add_x_scale(0, max(GOAL, *(ratio for ratio, _ in bars)))
    chart.add_bars(bars)
    return re.sub(r"(\d\.\d)\d+", r"\1", chart.to_svg(width=1100, height=60 + 22 * len(bars)))


def load_figures(results: Results) -> dict[str, float]:
    """Returns what a loaded lead took. A load may have had several sessions."""
    sessions: dict[int, list[dict[str, Any]]] = {}
    for sample in results["large"]["samples"]:
        # The start is computed again for each sample, so it can differ by a second.
        known = next((start for start in sessions if abs(start - sample["session"]) <= 2), sample["session"])
        sessions.setdefault(known, []).append(sample)
    sums = dict.fromkeys(("leads", "seconds", "wal", "postgres_s", "worker_s"), 0.0)
    importing = 0.0
    for samples in sessions.values():
        for name in sums:
            sums[name] += samples[-1][name] - samples[0][name]
        importing += max(
            (each["seconds"] for each in samples if each["phase"] != "working" and each["phase"] != "done"), default=0
        )
    leads = max(1.0, sums["leads"])
    return {
        "leads": leads,
        "importing_s": importing,
        "seconds": sums["seconds"],
        "wal": sums["wal"] / leads,
        "postgres_us": sums["postgres_s"] / leads * 1e6,
        "worker_us": sums["worker_s"] / leads * 1e6,
    }


def bytes_per_lead(results: Results) -> float:
    """Returns the bytes of all tables and indexes, for each lead."""
    return float(sum(row["bytes"] for row in results["large"]["sizes"]) / results["large"]["leads"])


def model(results: Results) -> list[tuple[str, str, str]]:
    """Returns the rows of the model: what, the arithmetic, and its result."""
    size, loading = bytes_per_lead(results), load_figures(results)
    costs = {row["name"]: row for row in results["cases"] if row["target"] == "largest"}
    create, change = (
        costs[name]["postgres_us"] + costs[name]["server_us"] for name in ("POST /leads", "PATCH /leads/{id}")
    )
    total = LEADS * size
    cells = ceil(total / CELL_BYTES)
    each = LEADS / cells
    per_second = LEADS / YEAR
    # The worker's own time, and that of its sessions in PostgreSQL, is at most all of the load.
    worker = loading["postgres_us"] + loading["worker_us"]
    cores = per_second * (create + CHANGES * change + worker) / 1e6
    transactions = LEADS * (1 + CHANGES) / cells
    measured = results["large"]["leads"]
    vacuum = results["large"]["vacuum_s"] / measured * each / 3600
    return [
        ("data", f"{LEADS:,} leads × {size:,.0f} bytes", f"{total / 1e12:.1f} TB"),
        ("cells of 1 TB", f"{total / 1e12:.1f} TB ÷ 1 TB, rounded up", f"{cells}"),
        ("leads of a cell", f"{LEADS:,} ÷ {cells}", f"{each:,.0f}"),
        ("organizations of a cell", f"{ORGANIZATIONS:,} ÷ {cells}", f"{ORGANIZATIONS / cells:,.0f}"),
        (
            "levels of an index on leads",
            f"log({each:,.0f}) ÷ log({ENTRIES}), rounded up; measured with {ceil(log(measured) / log(ENTRIES))}",
            f"{ceil(log(each) / log(ENTRIES))}",
        ),
        ("new leads, if all come within a year", f"{LEADS:,} ÷ {YEAR:,} s", f"{per_second:,.1f} a second"),
        (
            f"cores for them, with {CHANGES} changes each",
            f"{per_second:,.1f} × ({create:,.0f} + {CHANGES} × {change:,.0f} + {worker:,.0f}) µs",
            f"{cores:.2f} on average, in all cells",
        ),
        (
            "write-ahead log of new leads",
            f"{per_second:,.1f} × {loading['wal']:,.0f} bytes × 86,400 s",
            f"{per_second * loading['wal'] * 86400 / 1e9:,.0f} GB a day",
        ),
        (
            "transaction ids of a cell",
            f"{LEADS:,} × (1 + {CHANGES}) ÷ {cells}",
            f"{transactions / 1e6:,.0f} million a year",
        ),
        (
            "anti-wraparound vacuums of a cell",
            f"{transactions / 1e6:,.0f} million ÷ {FREEZE_AGE / 1e6:,.0f} million",
            f"{transactions / FREEZE_AGE:.1f} a year",
        ),
        (
            "VACUUM (ANALYZE) of a cell, without a cost limit",
            f"{results['large']['vacuum_s']:,.0f} s ÷ {measured:,} × {each:,.0f}",
            f"{vacuum:.1f} h",
        ),
        (
            "importing a cell anew, with 2 processes",
            f"{each:,.0f} × {loading['seconds']:,.0f} s ÷ {loading['leads']:,.0f}",
            f"{each * loading['seconds'] / loading['leads'] / 3600:,.0f} h",
        ),
    ]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _context(results: Results) -> str:
    facts, large = results["context"], results["large"]
    return _table(
        ("", ""),
        [
            ("leads, organizations", f"{large['leads']:,}, {large['organizations']:,}"),
            ("the largest organization", f"{large['largest']:,} leads"),
            (
                "the control",
                f"{results['control']['largest']:,} leads of one organization, and "
                f"{results['control']['organizations'] - 1} organizations with one each",
            ),
            ("date, commit", f"{facts['date']}, {facts['commit']}"),
            (
                "machine",
                f"{facts['cores']} cores, {facts['machine']}; load average at the end {results['load_average']}",
            ),
            ("versions", f"PostgreSQL {facts['postgresql']}, Python {facts['python']}"),
        ],
    )


def _requests(results: Results) -> str:
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in results["cases"]:
        name, _, depth = row["name"].rpartition(", ")
        if depth not in DEPTHS:
            name, depth = row["name"], "first"
        rows.setdefault(name, {})[f"{depth}/{row['target']}"] = row

    def line(name: str, sides: dict[str, dict[str, Any]]) -> tuple[str, ...]:
        first = next(side for key, side in sides.items() if key.endswith("/control"))
        own = [sides.get(f"{depth}/largest") for depth in DEPTHS]
        shown = tuple(_ratio(side["ratio"]) if side else "" for side in own)
        like = max(side["ratio"] for key, side in sides.items() if key.endswith("/like"))
        counts = {side["rows"] for side in sides.values()}
        note = "" if len(counts) == 1 else f" ({min(counts)} to {max(counts)} rows)"
        return (
            f"`{name.split(',', 1)[0]}`{',' + name.split(',', 1)[1] if ',' in name else ''}{note}",
            f"{first['server_us']:,.0f} + {first['postgres_us']:,.0f}",
            *shown,
            _ratio(like),
        )

    head = ("request", "control, µs", "first", "middle", "deep", "organization of 10,000")
    return _table(head, (line(name, sides) for name, sides in rows.items()))


def _ratio(ratio: float) -> str:
    text = f"{ratio:.2f}"
    return f"**{text}**" if float(text) > GOAL else text


def _views(results: Results) -> str:
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in results["views"]:
        rows.setdefault(row["name"], {})[row["target"]] = row
    return _table(
        ("question", "control, ms", "largest organization", "organization of 10,000"),
        (
            (
                f"`{name.split(':', 1)[0]}`{':' + name.split(':', 1)[1] if ':' in name else ''}",
                f"{sides['control']['postgres_us'] / 1000:.2f}",
                _ratio(sides["largest"]["ratio"]) if "largest" in sides else "",
                _ratio(sides["like"]["ratio"]),
            )
            for name, sides in rows.items()
        ),
    )


def _sizes(results: Results) -> str:
    sums: dict[str, dict[str, float]] = {}
    for row in results["large"]["sizes"]:
        each = sums.setdefault(row["table"], {"table": 0.0, "index": 0.0})
        each[row["kind"]] += row["per_lead"]
    rows = [
        (f"`{name}`", f"{each['table']:,.0f}", f"{each['index']:,.0f}")
        for name, each in sums.items()
        if sum(each.values()) >= 1
    ]
    together = [sum(each[kind] for each in sums.values()) for kind in ("table", "index")]
    rows.append(("**together**", f"**{together[0]:,.0f}**", f"**{together[1]:,.0f}**"))
    indexes = sorted(
        (row for row in results["large"]["sizes"] if row["kind"] == "index" and row["per_lead"] >= 20),
        key=lambda row: -row["per_lead"],
    )
    return (
        _table(("bytes for each lead", "table", "indexes"), rows)
        + "\n\n"
        + _table(("index", "bytes for each lead"), ((f"`{row['name']}`", f"{row['per_lead']:,.0f}") for row in indexes))
    )


def _load(results: Results) -> str:
    figures, large = load_figures(results), results["large"]
    checkpoints = large["health"]["checkpoints"]
    hours = figures["seconds"] / 3600
    return _table(
        ("", ""),
        [
            (
                "importing",
                f"{figures['importing_s']:,.0f} s, "
                f"{figures['leads'] / max(1, figures['importing_s']):,.0f} leads a second",
            ),
            ("until all is sealed, indexed and counted", f"{figures['seconds']:,.0f} s ({hours:.1f} h)"),
            ("processor time of PostgreSQL", f"{figures['postgres_us']:,.0f} µs for each lead"),
            ("processor time of the worker", f"{figures['worker_us']:,.0f} µs for each lead"),
            ("write-ahead log", f"{figures['wal']:,.0f} bytes for each lead"),
            (
                "checkpoints in the last session",
                f"{checkpoints['num_timed']} timed, {checkpoints['num_requested']} requested; "
                f"{checkpoints['buffers_written']:,} buffers, {checkpoints['write_time'] / 1000:,.0f} s of writing",
            ),
            ("VACUUM (ANALYZE) afterwards", f"{large['vacuum_s']:,.0f} s"),
        ],
    )


def _autovacuum(results: Results) -> str:
    health = results["large"]["health"]
    rows = [
        (
            f"`{row['table']}`", f"{row['inserted']:,}", f"{row['updated']:,}", f"{row['deleted']:,}",
            f"{row['dead']:,}", f"{row['autovacuums']}", f"{row['autoanalyzes']}", f"{row['age']:,}",
        )
        for row in health["tables"]
    ]  # fmt: skip
    head = (
        "table",
        "inserted",
        "updated",
        "deleted",
        "dead at the end",
        "autovacuums",
        "autoanalyzes",
        "age in transactions",
    )
    return _table(head, rows)


def _model(results: Results) -> str:
    return _table(("what", "arithmetic", "result"), model(results))
