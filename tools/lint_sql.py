"""Checks the files in sql/: `python -m tools.lint_sql`. Exit code 1 if there is a finding.

    tenant-not-pinned   a query uses a tenant table without a condition on organization_id (see
                        `pins`)
    unreadable          sqlglot can't parse a query, or a tenant table is in no query
    dynamic-sql         SQL is put together when it runs, where nothing checks it
    header              the first line isn't `-- schema.name - what it is for.`, or no owner is set
    misplaced           a statement doesn't belong in a file of this name

A tenant table has a column organization_id. A line of tools/lint_allow.txt, `code file subject
reason`, permits a finding; a line that permits nothing is itself a finding. The parser is sqlglot;
`sqltext` finds the queries for it. The tests in tests/isolation prove that the predicates work; the
tests in pgtap/catalogue check policies, keys and grants.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.frozen import without_frozen_blocks
from tools.pins import TENANT, Tables, Unreadable, read, tables_in, unpinned
from tools.sqltext import Sql, body, made, queries, statements

ROOT = Path(__file__).parent.parent
ALLOW = "tools/lint_allow.txt"
# The end of a file's name, and the first words of its statements.
KINDS = {
    "": r"create (or replace )?(function|procedure|view)|comment on|(grant|revoke) .* on",
    "policies": r"create policy|comment on",
    "triggers": r"create (constraint )?trigger|comment on|alter table",
    "grants": r"(grant|revoke) .* on",
    "partitions": r"do",
    "rows": r"delete from|insert into",
}
EVERYWHERE = r"set|reset|call|drop (function|procedure|view|policy|trigger)"
# The words before a table where a query reads or writes it; elsewhere its name is that of a type.
BEFORE_TABLE = frozenset({"from", "join", "into", "update", "using", "only", "table", "truncate", ",", "("})


@dataclass(frozen=True, order=True)
class Finding:
    """file: from the repository's root. subject: a table or an object."""

    file: str
    code: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.code} {self.subject}: {self.message}"


def lint(repo: Path) -> list[Finding]:
    """The findings that the allow list doesn't permit."""
    tables = known_tables(repo)
    paths = sorted((repo / "sql").glob("*/*.sql"))
    results = {finding for path in paths for finding in _lint(path, path.relative_to(repo).as_posix(), tables)}
    for number, line in enumerate((repo / ALLOW).read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        code, file, subject, *reason = line.split(maxsplit=3)
        allowed = {
            finding for finding in results if (finding.code, finding.file, finding.subject) == (code, file, subject)
        }
        results -= allowed
        if not allowed or not reason:
            results.add(Finding(ALLOW, "stale-allow", f"line {number}", "needed by nothing, or without a reason"))
    return sorted(results)


def known_tables(repo: Path) -> Tables:
    """The tables that the migrations create."""
    tenant: set[str] = set()
    plain: set[str] = set()
    for path in sorted((repo / "migrations").glob("*.sql")):
        for statement in statements(Sql(without_frozen_blocks(path.read_text()))):
            if statement.starts("create (unlogged )?table") and "(" in statement.words:
                opening = statement.words.index("(")
                columns = statement.cut(opening + 1, statement.closing(opening)).items()
                is_tenant = TENANT in [column.words[0] for column in columns]
                (tenant if is_tenant else plain).add(made(statement))
    return Tables(frozenset(tenant), frozenset(plain))


def _lint(path: Path, file: str, tables: Tables) -> Iterator[Finding]:
    text = path.read_text()
    base, _, suffix = path.stem.partition(".")
    name = f"{path.parent.name}.{base}"
    parts = list(statements(Sql(text)))
    if not re.match(rf"-- {re.escape(name)} - \S.*\.\n", text):
        yield Finding(file, "header", name, f"begin with the line: -- {name} - what it is for.")
    if not (parts and parts[0].starts("set (local |session )?role")):
        yield Finding(file, "header", name, "set the owner first: set local role <owner>;")
    for statement in parts:
        kind = " ".join(statement.words[:2])
        if not statement.starts(f"{KINDS.get(suffix, '$')}|{EVERYWHERE}") or made(statement) not in ("", name):
            yield Finding(file, "misplaced", name, f"{kind} doesn't belong into a file of this name")
        for code, subject, reason in findings(statement, tables):
            yield Finding(file, code, subject or name, f"{reason} in {name}")


def findings(statement: Sql, tables: Tables) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the queries of a statement: code, table (empty:
    none in particular), message.
    """
    accepted: list[str] = []
    for query in queries(statement):
        if query is None:
            yield "dynamic-sql", "", "SQL is put together when it runs"
            continue
        try:
            tree = read(str(query))
        except Unreadable as error:
            yield "unreadable", "", f"{error},"
            continue
        accepted += tables_in(tree, tables)
        for table, reason in unpinned(tree, tables):
            yield "tenant-not-pinned", table, reason
    text = body(statement)
    named = [text.name(index + 1) for index, word in enumerate(text.words) if word in BEFORE_TABLE]
    for table in tables.tenant:
        if accepted.count(table) < named.count(table):
            yield "unreadable", table, "is in a query that was not found"


def main() -> int:
    findings = lint(ROOT)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
