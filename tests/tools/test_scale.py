"""``make bench-scale`` makes the rows that it says, and computes its tables and its model correctly."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.settings import ROOT
from bench.scale import page
from bench.scale.data import CONTROL, Part, lines, parts, sizes

BASE = datetime(2026, 11, 30, tzinfo=UTC)


def test_the_largest_of_1000_organizations_has_a_tenth_and_one_has_as_many_as_the_control() -> None:
    leads = sizes(10_000_000)
    assert (len(leads), sum(leads), min(leads) > 0) == (1_000, 10_000_000, True)
    assert max(leads) == leads[0] == pytest.approx(1_000_000, rel=0.01)
    assert CONTROL in leads[1:]


def test_the_files_have_each_lead_once() -> None:
    leads = [120_000, 50_000, 1]
    rows = [(part.organization, part.first + row) for part in parts(leads) for row in range(part.rows)]
    assert sorted(rows) == [(index, row) for index, total in enumerate(leads) for row in range(total)]


def test_a_file_that_was_lost_is_made_again_with_the_same_bytes() -> None:
    part = Part(0, 40, 30)
    assert [*lines(part, 100, BASE)] == [*lines(part, 100, BASE)] == [*lines(Part(0, 0, 100), 100, BASE)][40:70]
    times = [json.loads(line)["created_at"] for line in lines(Part(0, 0, 100), 100, BASE)]
    assert times == sorted(times, reverse=True)


def sample(session: int, seconds: float, phase: str, leads: int) -> dict[str, Any]:
    return {
        "session": session,
        "seconds": seconds,
        "phase": phase,
        "leads": leads,
        "wal": leads * 8_000,
        "postgres_s": leads / 2_000,
        "worker_s": leads / 50_000,
    }


def results() -> dict[str, Any]:
    def row(name: str, target: str, ratio: float) -> dict[str, Any]:
        return {
            "name": name, "target": target, "rows": 50, "postgres_us": 1_000, "server_us": 500, "ms": 2, "ratio": ratio,
        }  # fmt: skip

    names = ("GET /leads, stage, first", "GET /leads, stage, middle", "POST /leads", "PATCH /leads/{id}")
    targets = {"largest": 1.25, "like": 1.1, "control": 1.0}
    return {
        "context": {"date": "2026-11-30", "commit": "x", "cores": 2, "machine": "x", "postgresql": "18", "python": "3"},
        "load_average": 1.0,
        "control": {"leads": 10_099, "organizations": 100, "largest": 10_000},
        "large": {
            "leads": 1_000_000,
            "organizations": 1_000,
            "largest": 100_000,
            "sizes": [
                {"name": "app.lead", "kind": "table", "table": "app.lead", "bytes": 3 * 10**9, "per_lead": 3_000},
                {"name": "app.lead_pkey", "kind": "index", "table": "app.lead", "bytes": 2 * 10**9, "per_lead": 2_000},
            ],
            # The second session was continued after 400,000 leads.
            "samples": [
                sample(100, 0, "importing", 0),
                sample(101, 200, "importing", 400_000),
                sample(9_000, 0, "importing", 400_000),
                sample(9_000, 300, "imported", 1_000_000),
                sample(9_000, 310, "done", 1_000_000),
            ],
            "vacuum_s": 60.0,
            "health": {
                "tables": [],
                "checkpoints": {"num_timed": 1, "num_requested": 2, "buffers_written": 3, "write_time": 4_000},
            },
        },
        "cases": [row(name, target, ratio) for name in names for target, ratio in targets.items()],
        "views": [row("freshness", target, 1.0) for target in targets],
    }  # fmt: skip


def test_a_load_of_several_sessions_counts_their_time_only() -> None:
    figures = page.load_figures(results())
    assert (figures["leads"], figures["seconds"], figures["wal"]) == (1_000_000, 510, 8_000)
    assert (figures["importing_s"], figures["postgres_us"], figures["worker_us"]) == pytest.approx((500, 500, 20))


def test_the_model_follows_its_arithmetic() -> None:
    rows = {what: result for what, _, result in page.model(results())}
    # 5,000 bytes a lead.
    assert (rows["data"], rows["cells of 1 TB"], rows["leads of a cell"]) == ("5.0 TB", "5", "200,000,000")
    assert rows["transaction ids of a cell"] == "800 million a year"
    assert rows["anti-wraparound vacuums of a cell"] == "4.0 a year"
    # 31.7 leads a second, each 1,500 µs, three changes of 1,500 µs, and 520 µs of the worker.
    assert rows["cores for them, with 3 changes each"] == "0.21 on average, in all cells"


def test_a_ratio_above_the_goal_is_bold() -> None:
    table = page.tables(results())["requests"]
    assert "| `GET /leads`, stage | 500 + 1,000 | **1.25** | **1.25** |  | 1.10 |" in table


def test_the_tables_of_the_page_are_renewed_and_its_prose_stays() -> None:
    text = "Prose.\n<!-- begin model -->\nold\n<!-- end model -->\nMore.\n"
    renewed = page.renewed(text, results())
    assert renewed.startswith("Prose.\n<!-- begin model -->\n| what |")
    assert renewed.endswith("|\n<!-- end model -->\nMore.\n")
    assert "old" not in renewed
    assert page.renewed(renewed, results()) == renewed


def test_the_page_in_docs_has_a_place_for_each_table() -> None:
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert [name for name in page.tables(results()) if f"<!-- begin {name} -->\n" not in text] == []


def test_the_picture_has_a_bar_for_each_request_of_the_largest_organization() -> None:
    assert page.picture(results()).count("GET /leads, stage") == 2
