"""Checks that each migration begins with a header that a DBA can plan by:
``python -m tools.headers``.

    -- What the migration does, in one sentence.
    --
    -- Locks: which locks it takes, on which tables, and what waits for them.
    -- Duration: 1.4 s per million rows of audit.event (measured).
    -- Phase: expand
    -- If it breaks off: what is left behind, and what to do.

A label's text may continue in the next comment lines. In next.sql each part has a header, after its
line ``-- migration: NAME``. Exit code 1: a header lacks something.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from app import migrations, unreleased

LABELS = ("Locks", "Duration", "Phase", "If it breaks off")
PHASES = ("baseline", "expand", "contract")
_LABEL = re.compile(rf"({'|'.join(LABELS)}):\s*(.*)")
_MEASURED = re.compile(r"\d+(\.\d+)? s per million rows\b")


def faults(text: str) -> Iterator[str]:
    """What the header of this migration lacks, a sentence each."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    if not lines or not lines[0] or _LABEL.match(lines[0]):
        yield "Line 1 must be a comment that says what the migration does."
    labels: dict[str, str] = {}
    label = ""
    for line in lines:
        if match := _LABEL.match(line):
            label = match[1]
            if label in labels:
                yield f"The header has two lines '-- {label}: ...'."
            labels[label] = match[2]
        elif label:
            labels[label] = f"{labels[label]} {line}".strip()
    for name in LABELS:
        if not labels.get(name):
            yield f"The header has no line '-- {name}: ...'."
    phase = labels.get("Phase", "").rstrip(".")
    if phase and phase not in PHASES:
        yield f"Phase must be one of: {', '.join(PHASES)}."
    duration = labels.get("Duration", "")
    if duration and phase != "baseline" and not _MEASURED.match(duration):
        yield "Duration must begin with a measured time, as in '1.4 s per million rows of audit.event'."


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.headers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=migrations.FOLDER, help="the folder of migrations")
    folder = parser.parse_args(arguments).folder
    texts = [(path.name, path.read_text()) for path in sorted(folder.glob("[0-9]*.sql"))]
    next_ = folder / "next.sql"
    if next_.exists():
        texts += [(f"next.sql, {name}", text) for name, text in unreleased.parts(next_.read_text())]
    status = 0
    for name, text in texts:
        for fault in faults(text):
            print(f"{name}: {fault}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
