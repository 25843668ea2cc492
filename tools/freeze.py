"""Keeps the frozen copies in migrations/ equal to the files in sql/, so that each object has one truth.

    python -m tools.freeze [MIGRATION [FILE…]]   writes the copies of these files into the migration (the last one), and
                                                 the checksums; without a file, of all whose last copy before it
                                                 differs, or that have none
    python -m tools.freeze --check               names the files whose last copy differs, and the copies without a file
    python -m tools.freeze checksums [--check]   writes, or checks, migrations/SHA256SUMS

A copy that is there is replaced in its place; a new one stands before the next in the order of sql/load.sql, or behind
the last, or at the end. Only the last migration is written, and only while HEAD doesn't have it: what has landed may
have run somewhere. --unreleased lifts that, for what has run nowhere. Exit code 1: something differs. 2: refused.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.frozen import MARKER, Block, Refused, copies, frozen_blocks, load_order, migrations, without_frozen_blocks

__all__ = ["Block", "Refused", "frozen_blocks", "load_order", "main", "without_frozen_blocks"]

SUMS = "SHA256SUMS"


def check(repo: Path) -> Iterator[str]:
    """A sentence for each file of sql/ whose last copy isn't what it is, and for each copy that has no file."""
    found = copies((path.name, path.read_text()) for path in migrations(repo))
    listed = [path.as_posix() for path in load_order(repo)]
    present = {path.relative_to(repo).as_posix() for path in (repo / "sql").glob("*/*.sql")}
    for path in listed:
        if path not in present:
            yield f"{path}: sql/load.sql lists it, and it isn't there."
        elif path not in found:
            yield f"{path}: no migration has a copy, or its object was dropped after it. Freeze it into the last one."
        elif found[path].text != (repo / path).read_text():
            yield f"{path}: differs from its copy in {found[path].migration}. Freeze it into the last one."
        elif found[path].is_undone:
            yield f"{path}: a statement behind its copy in {found[path].migration} undoes some of it. Freeze it again."
    for path in sorted(present - set(listed)):
        yield f"{path}: sql/load.sql doesn't list it."
    for path, copy in found.items():
        if path not in present and not copy.is_undone:
            yield f"{path}: {copy.migration} has a copy, the file is gone, and no later statement drops its object."


def freeze(repo: Path, migration: Path, files: Sequence[str] = (), *, unreleased: bool = False) -> list[str]:
    """Writes copies into a migration, as the module says; the paths whose copy changed. Raises Refused."""
    every = migrations(repo)
    if migration not in every:
        raise Refused(f"There is no migration {migration.name}.")
    if not unreleased and migration != every[-1]:
        raise Refused(f"{migration.name} isn't the last migration: freeze into {every[-1].name}, or say --unreleased.")
    if not unreleased and _landed(repo, migration) is not None:
        raise Refused(f"{migration.name} has landed: begin a new migration, or say --unreleased.")
    order = [path.as_posix() for path in load_order(repo)]
    if unlisted := [path for path in files if path not in order]:
        raise Refused(f"{unlisted[0]} isn't in sql/load.sql.")
    now = {path: _content(repo, path) for path in order}
    text = before = migration.read_text()
    there = {block.path: block for block in frozen_blocks(text)}
    if not files:
        own = (migration.name, without_frozen_blocks(text))
        past = copies([*((path.name, path.read_text()) for path in every[: every.index(migration)]), own])
        files = [
            path
            for path in order
            if path in there or path not in past or past[path].text != now[path] or past[path].is_undone
        ]
        text = _without_gone(text, now)
    changed = [path for path in there if path not in now]
    for path in sorted(files, key=order.index):
        if path not in there or there[path].text != now[path]:
            text = _with(text, Block(path, now[path]), order)
            changed.append(path)
    if text != before:
        migration.write_text(text)
    return changed


def _content(repo: Path, path: str) -> str:
    if not (repo / path).is_file():
        raise Refused(f"sql/load.sql lists {path}, and it isn't there.")
    text = (repo / path).read_text()
    if not text.endswith("\n") or MARKER.search(text):
        raise Refused(f"{path} must end with a line's end and have no marker line of a frozen copy.")
    return text


def _without_gone(text: str, now: dict[str, str]) -> str:
    for block in reversed(frozen_blocks(text)):
        if block.path not in now:
            text = (text[: block.start] + text[block.end :].removeprefix("\n")).rstrip("\n") + "\n"
    return text


def _with(text: str, block: Block, order: list[str]) -> str:
    blocks = frozen_blocks(text)
    for old in blocks:
        if old.path == block.path:
            return text[: old.start] + str(block) + text[old.end :]
    behind = order[order.index(block.path) :]
    for old in blocks:
        if old.path in behind:
            return f"{text[: old.start]}{block}\n{text[old.start :]}"
    if blocks:
        return f"{text[: blocks[-1].end]}\n{block}{text[blocks[-1].end :]}"
    return text.rstrip("\n") + f"\n\n{block}"


def _landed(repo: Path, migration: Path) -> bytes | None:
    """The migration as HEAD has it; None where it hasn't, or where this is no git repository."""
    name = f"HEAD:./{migration.relative_to(repo).as_posix()}"
    shown = subprocess.run(["git", "-C", str(repo), "show", name], capture_output=True, check=False)
    return shown.stdout if shown.returncode == 0 else None


def checksums(repo: Path) -> dict[str, str]:
    """SHA-256 of each migration, in hexadecimal, by its file's name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in migrations(repo)}


def check_checksums(repo: Path) -> Iterator[str]:
    """A sentence for each migration that isn't what migrations/SHA256SUMS says."""
    path = repo / "migrations" / SUMS
    lines = [line.split(maxsplit=1) for line in path.read_text().splitlines()] if path.exists() else []
    written, real = {name: digest for digest, name in lines}, checksums(repo)
    for name in sorted(written.keys() | real.keys()):
        if name not in real:
            yield f"{name}: {SUMS} lists it, and it isn't there."
        elif name not in written:
            yield f"{name}: {SUMS} doesn't list it."
        elif written[name] != real[name]:
            yield f"{name}: was edited after its line in {SUMS} was written."


def write_checksums(repo: Path, *, unreleased: bool = False) -> None:
    """Writes migrations/SHA256SUMS, which `sha256sum --check` reads. Raises Refused for an edited landed migration."""
    for path in migrations(repo):
        landed = _landed(repo, path)
        if not unreleased and landed is not None and landed != path.read_bytes():
            raise Refused(f"{path.name} has landed, and is not what landed: take the edit back, or say --unreleased.")
    lines = [f"{digest}  {name}\n" for name, digest in checksums(repo).items()]
    (repo / "migrations" / SUMS).write_text("".join(lines))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.freeze", description=__doc__.partition("\n")[0])
    parser.add_argument("migration", nargs="?", help="what to write into (else the last one), or the word checksums")
    parser.add_argument("files", nargs="*", help="files of sql/")
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    parser.add_argument(
        "--unreleased", action="store_true", help="also where the migration has landed or isn't the last"
    )
    parser.add_argument("--repo", type=Path, default=Path(__file__).parent.parent, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    repo = given.repo.resolve()
    try:
        if given.check:
            wrong = list(check_checksums(repo) if given.migration == "checksums" else check(repo))
            print("\n".join(wrong) if wrong else "Nothing differs.")
            return 1 if wrong else 0
        if given.migration == "checksums":
            write_checksums(repo, unreleased=given.unreleased)
            return 0
        every = migrations(repo)
        if not every:
            raise Refused("There is no migration to freeze into.")
        migration = repo / "migrations" / Path(given.migration).name if given.migration else every[-1]
        files = [Path(file).as_posix().removeprefix("./") for file in given.files]
        changed = freeze(repo, migration, files, unreleased=given.unreleased)
        print("\n".join(changed) if changed else "Nothing to freeze.")
        write_checksums(repo, unreleased=given.unreleased)
        return 0
    except Refused as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
