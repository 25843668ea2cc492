"""Frozen copies: what a migration holds of sql/, between two marker lines, byte for byte.

-- begin frozen sql/api/get_lead.sql
…
-- end frozen sql/api/get_lead.sql
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

BLOCK = re.compile(r"^-- begin frozen (\S+)\n(.*?)^-- end frozen \1\n", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"^-- (?:begin|end) frozen\b", re.MULTILINE)
INCLUDE = re.compile(r"^\\ir +(\S+)[ \t]*$", re.MULTILINE)
COMMENT = re.compile(r"--[^\n]*")
PARENTHESES = re.compile(r"\([^()]*\)")
NAME = r'"?(\w+)"?\."?(\w+)"?'
# What a statement outside copies does away with: a whole object, or some of what a file of a table makes.
WHOLE = re.compile(
    r"\bdrop\s+(?:table|(?:materialized\s+)?view|function|procedure|routine|aggregate)\b([^;]*)", re.IGNORECASE
)
PARTS = {
    "policies": re.compile(rf"\bdrop\s+policy\b[^;]*\bon\s+{NAME}", re.IGNORECASE),
    "triggers": re.compile(rf"\bdrop\s+trigger\b[^;]*\bon\s+{NAME}", re.IGNORECASE),
    "grants": re.compile(rf"\brevoke\b[^;]*\bon\s+(?:table\s+)?{NAME}", re.IGNORECASE),
    "rows": re.compile(rf"\b(?:delete\s+from|truncate)\s+{NAME}", re.IGNORECASE),
}


class Refused(Exception):
    """What was asked for can't be done; the message is a sentence for who asked."""


@dataclass(frozen=True)
class Block:
    """A frozen copy. path: of its file, from the repository's root. start, end: offsets, with the marker lines."""

    path: str
    text: str
    start: int = 0
    end: int = 0

    def __str__(self) -> str:
        return f"-- begin frozen {self.path}\n{self.text}-- end frozen {self.path}\n"


@dataclass(frozen=True)
class Copy:
    """The last copy of a file. is_undone: a statement after it takes away some of what it made."""

    text: str
    migration: str
    is_undone: bool = False


def frozen_blocks(migration_text: str) -> list[Block]:
    """The frozen copies in a migration, in their order. Raises Refused where the marker lines don't pair."""
    blocks = [Block(found[1], found[2], *found.span()) for found in BLOCK.finditer(migration_text)]
    if len(MARKER.findall(migration_text)) != 2 * len(blocks):
        raise Refused(
            "A line '-- begin frozen' has no '-- end frozen' with the same path behind it, or is within another."
        )
    return blocks


def without_frozen_blocks(text: str) -> str:
    """A migration without its frozen copies. Their lines stay, empty, so that line numbers hold."""
    return BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)


def load_order(repo: Path) -> list[Path]:
    """The files of sql/, from the repository's root, in the order of sql/load.sql."""
    return [Path("sql") / name for name in INCLUDE.findall((repo / "sql/load.sql").read_text())]


def migrations(repo: Path) -> list[Path]:
    """The migrations, in the order in which they run."""
    return sorted((repo / "migrations").glob("[0-9]*.sql"))


def copies(texts: Iterable[tuple[str, str]]) -> dict[str, Copy]:
    """The last copy of each file in these migrations (name, text), but for those whose object is dropped after it."""
    found: dict[str, Copy] = {}
    for name, text in texts:
        done = 0
        for block in frozen_blocks(text):
            _undo(found, text[done : block.start])
            found[block.path] = Copy(block.text, name)
            done = block.end
        _undo(found, text[done:])
    return found


def _undo(found: dict[str, Copy], text: str) -> None:
    text = COMMENT.sub("", text)
    for names in WHOLE.findall(text):
        for schema, name in re.findall(NAME, PARENTHESES.sub("", names)):
            for path in [f"sql/{schema}/{name}.sql", *(f"sql/{schema}/{name}.{part}.sql" for part in PARTS)]:
                found.pop(path, None)
    for part, pattern in PARTS.items():
        for schema, name in pattern.findall(text):
            path = f"sql/{schema}/{name}.{part}.sql"
            if path in found:
                found[path] = replace(found[path], is_undone=True)
