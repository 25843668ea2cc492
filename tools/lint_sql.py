"""Reads migrations/ and sql/, and names what breaks a rule: `python -m tools.lint_sql`, exit code 1 if something does.

The rules, by the code that a finding shows:

    tenant-not-pinned          a query reads or writes a tenant table without organization_id pinned (see `pinning`)
    index-not-led              a key of a tenant table doesn't begin with organization_id
    dynamic-sql                SQL is put together when it runs, where no linter sees it
    unreadable                 a statement can't be read here
    header, misplaced, table-in-sql, function-in-migration
                               a statement stands in the wrong place (see `placement`)
    block-object-used-outside  a statement of a migration needs what only a frozen copy makes
    stale-allow, bare-allow    a line of the allow list is needed by nothing, or gives no reason (see `findings`)

A tenant table is one with a column organization_id. Frozen copies are left out: the files in sql/ are read instead.
This is the second fence; the tests of every function with two organizations are the first.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from tools.catalogue import Catalogue
from tools.findings import Finding, without_allowed
from tools.frozen import Refused, frozen_blocks, migrations, without_frozen_blocks
from tools.pinning import TENANT, World
from tools.placement import head, in_migration, in_sql, made
from tools.reading import read_statement
from tools.sqltext import Sql, Unreadable, names_in, statements

# Statements that may use a function for a table: in a CHECK, a DEFAULT, a generated column, an index.
OF_KEYS = frozenset({"create table", "alter table", "create index", "create domain", "alter domain"})


def lint(repo: Path) -> list[Finding]:
    """All findings in a repository that its allow list doesn't let pass, sorted by file and line."""
    return without_allowed(_Repository(repo).findings(), repo)


class _Repository:
    """Every file, read once and cut into statements."""

    def __init__(self, repo: Path) -> None:
        self.broken: list[Finding] = []
        self.copied: set[str] = set()
        self.migrations: dict[str, list[Sql]] = {}
        for path in migrations(repo):
            file, text = f"migrations/{path.name}", path.read_text()
            try:
                self.copied |= {block.path for block in frozen_blocks(text)}
            except Refused as error:
                self.broken.append(Finding(file, 1, "unreadable", file, str(error), "pair the lines"))
            self.migrations[file] = self.cut(file, without_frozen_blocks(text))
        self.texts = {
            path.relative_to(repo).as_posix(): path.read_text() for path in sorted((repo / "sql").glob("*/*.sql"))
        }
        self.sql = {file: self.cut(file, text) for file, text in self.texts.items()}
        load = repo / "sql/load.sql"
        text = re.sub(r"^\\.*", "", load.read_text(), flags=re.MULTILINE) if load.exists() else ""
        self.load = self.cut("sql/load.sql", text)

    def cut(self, file: str, text: str) -> list[Sql]:
        try:
            return list(statements(Sql(text)))
        except Unreadable as error:
            self.broken.append(Finding(file, 1, "unreadable", file, str(error), "close the quote or the comment"))
            return []

    def findings(self) -> Iterator[Finding]:
        yield from self.broken
        views = frozenset(made(one) for parts in self.sql.values() for one in parts if head(one) == "create view")
        catalogue = Catalogue()
        for file in self.migrations:
            yield from _whole(file, self.of_migration(file, catalogue, views))
        world = World(catalogue.tables, views)
        yield from _keys(catalogue, world)
        for file in self.sql:
            yield from _whole(file, self.of_sql(file, world))
        for statement in self.load:
            yield from read_statement("sql/load.sql", statement, world)

    def of_migration(self, file: str, catalogue: Catalogue, views: frozenset[str]) -> Iterator[Finding]:
        tables = dict(catalogue.tables)
        for statement in self.migrations[file]:
            catalogue.apply(statement, file)
            tables |= catalogue.tables  # one that goes, or gets another name, was there before
        world = World(tables, views)
        for statement in self.migrations[file]:
            yield from read_statement(file, statement, world)
            yield from in_migration(file, statement, self.needed, self.objects)
            yield from self.uses(file, statement, views)

    def of_sql(self, file: str, world: World) -> Iterator[Finding]:
        yield from in_sql(file, self.texts[file], self.sql[file])
        for statement in self.sql[file]:
            yield from read_statement(file, statement, world)

    @cached_property
    def needed(self) -> set[str]:
        """The functions that tables, domains and indexes use, and those that these functions use."""
        every = [statement for parts in self.migrations.values() for statement in parts]
        needed = {name for one in every if head(one) in OF_KEYS for name in names_in(one)[1]}
        functions = {made(one): names_in(one)[1] for one in every if head(one) == "create function"}
        while True:
            more = {name for function in needed & functions.keys() for name in functions[function]} - needed
            if not more:
                return needed
            needed |= more

    @cached_property
    def objects(self) -> set[str]:
        """The functions and views of sql/ and of frozen copies."""
        paths = [PurePosixPath(path) for path in (*self.sql, *self.copied)]
        return {f"{path.parent.name}.{path.stem}" for path in paths if "." not in path.stem}

    def uses(self, file: str, statement: Sql, views: frozenset[str]) -> Iterator[Finding]:
        """`block-object-used-outside`. A DROP may name them: it has to stand outside."""
        if head(statement).startswith(("drop", "grant", "revoke")):
            return
        mentioned, called = names_in(statement)
        own = {made(statement)} if head(statement).startswith("create ") else set()
        for name in sorted(((self.objects & called) | (views & mentioned)) - own):
            message, remedy = "is made by a frozen copy only", "write what needs it in sql/, or do without"
            yield Finding(file, statement.line, "block-object-used-outside", name, message, remedy)


def _whole(file: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """These findings; and one more where a statement breaks off, so that a rule misses a word that it looks for."""
    try:
        yield from findings
    except (IndexError, ValueError):
        yield Finding(file, 1, "unreadable", file, "a statement breaks off", "complete it")


def _keys(catalogue: Catalogue, world: World) -> Iterator[Finding]:
    """`index-not-led`. A foreign key from one tenant table to another begins so on both sides."""
    for key in catalogue.keys:
        if world.is_tenant(key.table):
            if key.first != TENANT:
                message = f"a key of {key.table} that begins with {key.first or 'an expression'}"
            elif key.target_first and key.target_first != TENANT and world.is_tenant(key.target):
                message = f"a foreign key to {key.target} that begins with {key.target_first} there"
            else:
                continue
            remedy = f"begin it with {TENANT}, or put a line with the reason into tools/lint_allow.txt"
            yield Finding(key.file, key.line, "index-not-led", key.name, message, remedy)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.lint_sql", description="Lints migrations/ and sql/.")
    parser.add_argument("--repo", type=Path, default=Path(__file__).parent.parent, help=argparse.SUPPRESS)
    found = lint(parser.parse_args(arguments).repo.resolve())
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
