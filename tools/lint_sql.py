"""Checks the files in sql/: `python -m tools.lint_sql`. Exit code 1 if there is a finding.

    tenant-not-pinned   a query reads or writes a tenant table without a condition on organization_id (see `pins`)
    dynamic-sql         SQL is put together when it runs, where nothing checks it
    header              the first line isn't `-- schema.name - what it is for.`, or no owner is set first
    misplaced           a statement doesn't belong into a file of this name

A tenant table has a column organization_id. A line of tools/lint_allow.txt, `code file subject reason`, permits a
finding; a line that permits nothing is itself a finding. The parser is PostgreSQL's own (pglast). The tests in
tests/isolation prove that the predicates work; the tests in pgtap/catalogue check policies, keys and grants.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pglast import ast, parse_plpgsql, parse_sql

from tools.frozen import without_frozen_blocks
from tools.pins import TENANT, Tables, unpinned

ROOT = Path(__file__).parent.parent
ALLOW = "tools/lint_allow.txt"
# The end of a file's name, and its statements. Every file may also set the owner, drop objects and call procedures.
KINDS: dict[str, tuple[type[ast.Node], ...]] = {
    "": (ast.CreateFunctionStmt, ast.ViewStmt, ast.CommentStmt, ast.GrantStmt),
    "policies": (ast.CreatePolicyStmt, ast.CommentStmt),
    "triggers": (ast.CreateTrigStmt, ast.CommentStmt, ast.AlterTableStmt),
    "grants": (ast.GrantStmt,),
    "partitions": (ast.DoStmt,),
    "rows": (ast.DeleteStmt, ast.InsertStmt, ast.NotifyStmt),
}
EXPRESSION = 2
"""plpgsql's parse mode for an expression. 0 is a statement; the modes above 2 are assignments."""


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
    """The findings that the allow list doesn't let pass."""
    tables = known_tables(repo)
    paths = sorted((repo / "sql").glob("*/*.sql"))
    found = {finding for path in paths for finding in _lint(path, path.relative_to(repo).as_posix(), tables)}
    for number, line in enumerate((repo / ALLOW).read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        code, file, subject, *reason = line.split(maxsplit=3)
        allowed = {
            finding for finding in found if (finding.code, finding.file, finding.subject) == (code, file, subject)
        }
        found -= allowed
        if not allowed or not reason:
            found.add(Finding(ALLOW, "stale-allow", f"line {number}", "needed by nothing, or without a reason"))
    return sorted(found)


def known_tables(repo: Path) -> Tables:
    """The tables that the migrations make."""
    tenant: set[str] = set()
    plain: set[str] = set()
    for path in sorted((repo / "migrations").glob("*.sql")):
        for raw in parse_sql(without_frozen_blocks(path.read_text())):
            if isinstance(raw.stmt, ast.CreateStmt):
                columns = [
                    element.colname for element in raw.stmt.tableElts or () if isinstance(element, ast.ColumnDef)
                ]
                relation = raw.stmt.relation
                (tenant if TENANT in columns else plain).add(f"{relation.schemaname}.{relation.relname}")
    return Tables(frozenset(tenant), frozenset(plain))


def _lint(path: Path, file: str, tables: Tables) -> Iterator[Finding]:
    text = path.read_text()
    base, _, suffix = path.stem.partition(".")
    name = f"{path.parent.name}.{base}"
    statements = [
        (raw.stmt, text[raw.stmt_location : raw.stmt_location + raw.stmt_len or None]) for raw in parse_sql(text)
    ]
    first = statements[0][0]
    if not re.match(rf"-- {re.escape(name)} - \S.*\.\n", text):
        yield Finding(file, "header", name, f"begin with the line: -- {name} - what it is for.")
    if not (isinstance(first, ast.VariableSetStmt) and first.name == "role"):
        yield Finding(file, "header", name, "set the owner first: set local role <owner>;")
    for statement, source in statements:
        if not isinstance(
            statement, (ast.VariableSetStmt, ast.DropStmt, ast.CallStmt, *KINDS.get(suffix, ()))
        ) or _made(statement) not in ("", name):
            yield Finding(
                file, "misplaced", name, f"{type(statement).__name__} doesn't belong into a file of this name"
            )
        for query in queries(statement, source):
            if query is None:
                yield Finding(file, "dynamic-sql", name, "SQL is put together when it runs")
            else:
                for table, why in unpinned(query, tables):
                    yield Finding(file, "tenant-not-pinned", table, f"{why} in {name}")


def _made(statement: ast.Node) -> str:
    """The name of the function, the view or the table of a policy or trigger that a statement makes; else empty."""
    if isinstance(statement, ast.CreateFunctionStmt):
        return ".".join(part.sval for part in statement.funcname)
    relation = statement.view if isinstance(statement, ast.ViewStmt) else getattr(statement, "table", None)
    relation = statement.relation if isinstance(statement, ast.CreateTrigStmt | ast.AlterTableStmt) else relation
    return f"{relation.schemaname}.{relation.relname}" if relation else ""


def queries(statement: ast.Node, source: str) -> Iterator[object]:
    """The queries in a statement; None for one that is put together when it runs."""
    if not isinstance(statement, ast.CreateFunctionStmt):
        # A policy's conditions aren't a query: pgtap/catalogue knows the forms that they may have.
        yield () if isinstance(statement, ast.CreatePolicyStmt) else statement
        return
    options = {option.defname: option.arg for option in statement.options}
    if statement.sql_body is not None:
        yield statement.sql_body
    elif options["language"].sval == "plpgsql":
        yield from _of_plpgsql(parse_plpgsql(_with_known_types(source)))
    else:
        yield parse_sql(options["as"][0].sval)


def _with_known_types(function: str) -> str:
    """The function with types that the parser knows: it has no catalogue in which to look one of ours up."""
    head, quote, body = re.split(r"(\$\w*\$)", function, maxsplit=1)
    head, name, arguments = re.split(r"(function \w+\.\w+)", head, maxsplit=1, flags=re.IGNORECASE)
    declared, begin, rest = body.partition("\nbegin\n")
    declared = re.sub(r"^( +\w+(?: constant)?) \w+\.\w+(\[\])?", r"\1 record", declared, flags=re.MULTILINE)
    return head + name + re.sub(r"\b[a-z]+\.[a-z_]+\b", "text", arguments) + quote + declared + begin + rest


def _of_plpgsql(node: Any) -> Iterator[object]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key in ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors", "dynquery"):
            yield None
        if key == "PLpgSQL_expr":
            text, mode = value["query"], value["parseMode"]
            if mode > EXPRESSION:
                text = re.sub(r"^[^=]*=", "", text)
            yield parse_sql(f"select {text}" if mode >= EXPRESSION else text)
        else:
            yield from _of_plpgsql(value)


def main() -> int:
    found = lint(ROOT)
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
