"""Frozen copies: the files of sql/ that a migration contains, byte for byte, between marker lines.

-- begin frozen sql/api/get_lead.sql
…
-- begin frozen sql/api/update_lead.sql
…
-- end frozen
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from app import migrations as released
from app.unreleased import BLOCK, INCLUDE

MARKER = re.compile(r"^-- (?:(begin) frozen \S+|end frozen)$", re.MULTILINE)
SECTION = re.compile(r"^-- section (\w+): (.+)$", re.MULTILINE)


class Refused(Exception):
    """The request can't be carried out. The message is a sentence for the user."""


@dataclass(frozen=True)
class Block:
    """A frozen copy. path: the file's path from the repository's root."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"-- begin frozen {self.path}\n{self.text}"


@dataclass(frozen=True)
class Section:
    """A part of sql/load.sql. title: what its objects are.
    paths: its files, from the repository's root, in order.
    """

    name: str
    title: str
    paths: list[str]


def frozen_blocks(migration_text: str) -> list[Block]:
    """The frozen copies in a migration, in order. Raises Refused if the last one has no end."""
    markers = MARKER.findall(migration_text)
    if markers and (markers[-1] or markers.count("") > markers.count("begin")):
        raise Refused("After the last '-- begin frozen' there must be a line '-- end frozen'.")
    return [Block(match[1], match[2]) for match in BLOCK.finditer(migration_text)]


def without_frozen_blocks(text: str) -> str:
    """A migration without its frozen copies. Their lines stay, empty, so that line numbers hold."""
    return BLOCK.sub(lambda match: "\n" * match[0].count("\n"), text)


def migrations(repo: Path) -> list[Path]:
    """The files of the released migrations in the order in which they run."""
    return [migration.path for migration in released.all_(repo / "migrations")]


def load_order(repo: Path) -> list[Path]:
    """The files of sql/, from the repository's root, in the order of sql/load.sql."""
    return [Path("sql") / name for name in INCLUDE.findall((repo / "sql/load.sql").read_text())]


def sections(repo: Path) -> list[Section]:
    """The sections of sql/load.sql. Each begins with a line such as ``-- section auth:
    Keys and analysts.``
    """
    _, *parts = SECTION.split((repo / "sql/load.sql").read_text())
    return [
        Section(name, title, [f"sql/{path}" for path in INCLUDE.findall(text)])
        for name, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]
