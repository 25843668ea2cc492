"""Each migration begins with a header: its locks, its duration, and what to do if it breaks off."""

from pathlib import Path

import pytest

from tools import headers

GOOD = """\
-- Adds the source of each change.
--
-- Locks: ACCESS EXCLUSIVE on audit.event, for the time of a catalogue change. All requests that write
-- wait for it.
-- Duration: 0 s per million rows: the default is in the catalogue.
-- Phase: expand
-- If it breaks off: nothing is left behind. Run leads migrate again.

alter table audit.event add column n integer not null default 0;
"""


def test_a_complete_header_passes() -> None:
    assert list(headers.faults(GOOD)) == []


def test_a_baseline_needs_no_measured_time() -> None:
    assert list(headers.faults(GOOD.replace("0 s per", "no rows,").replace("expand", "baseline"))) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("-- Adds the source of each change.\n", "", "Line 1 must be a comment"),
        ("-- Locks: ", "-- It locks ", "no line '-- Locks: ...'"),
        ("-- Duration: 0 s per million rows: the default is in the catalogue.\n", "", "no line '-- Duration: ...'"),
        ("-- Duration: 0 s", "-- Duration: short", "Duration must begin with a measured time"),
        ("-- Phase: expand\n", "", "no line '-- Phase: ...'"),
        ("expand", "grow", "Phase must be one of: baseline, expand, contract."),
        ("nothing is left behind. Run leads migrate again.", "", "no line '-- If it breaks off: ...'"),
        ("-- Phase: expand\n", "-- Phase: expand\n-- Phase: expand\n", "two lines '-- Phase: ...'"),
        ("-- Locks", "\n-- Locks", "no line '-- Locks: ...'"),
    ],
)
def test_a_header_that_lacks_something_is_named(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    assert fault in " ".join(headers.faults(GOOD.replace(old, new, 1)))


def test_the_program_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.0.0-01.good.sql").write_text(GOOD)
    assert headers.main([str(tmp_path)]) == 0
    (tmp_path / "1.0.0-02.bad.sql").write_text("select 1;\n")
    assert headers.main([str(tmp_path)]) == 1
    assert "1.0.0-02.bad.sql: Line 1 must be" in capsys.readouterr().out


def test_each_part_of_next_sql_has_a_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "next.sql").write_text(f"-- Text before the parts.\n-- migration: good\n{GOOD}")
    assert headers.main([str(tmp_path)]) == 0
    (tmp_path / "next.sql").write_text(f"-- migration: good\n{GOOD}-- migration: bad\nselect 1;\n")
    assert headers.main([str(tmp_path)]) == 1
    assert "next.sql, bad: Line 1 must be" in capsys.readouterr().out


def test_the_migrations_have_their_headers() -> None:
    assert headers.main([]) == 0
