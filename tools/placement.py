"""Where a statement belongs: one truth for each object.

Tables and what they need (domains, types, indexes, a function in a CHECK, a DEFAULT or an index) stand in `migrations/`
only; functions, views, triggers, policies and grants in `sql/` only, one object a file, and in migrations as frozen
copies, which aren't looked at here. `drop …` may stand anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tools.findings import Finding
from tools.sqltext import Sql, Token, items, name_at

NOISE = frozenset({"or", "replace", "unique", "materialized", "constraint"})
OF_CODE = frozenset({"function", "procedure", "view", "trigger", "policy"})
OF_TABLES = frozenset({"table", "domain", "type", "index", "sequence", "schema", "extension", "role"})
# What a file's name ends with, and the statements that it holds.
KINDS = {
    "": ("create function", "create procedure", "create view", "comment on", "grant", "revoke", "call"),
    "policies": ("create policy", "comment on"),
    "triggers": ("create trigger", "comment on", "alter table"),
    "grants": ("grant", "revoke"),
    "rows": ("delete", "insert", "notify"),
}
HEADER = re.compile(r"-- (\S+) - \S.*\.")
# What migrations make, they may grant on, beside memberships, which have no ON.
GRANTED = frozenset({"schema", "database", "domain", "type"})


def head(statement: Sql) -> str:
    """What kind of statement this is: `create function`, `alter table`, `comment on`, `select`."""
    words = [word for word in statement.words[:6] if word not in NOISE]
    two = words[0] in ("create", "alter", "drop", "comment")
    return " ".join(words[: 2 if two else 1])


def made(statement: Sql) -> str:
    """The name of the object that a CREATE, an ALTER or a DROP is about; of a policy or a trigger, its table's.

    Empty where the statement breaks off.
    """
    tokens, kind = statement.tokens, head(statement).partition(" ")[2]
    at = statement.words.index(kind) + 1
    if kind in ("policy", "trigger") and "on" in statement.words:
        at = statement.words.index("on") + 1
    while at < len(tokens) and tokens[at].word in ("if", "not", "exists", "only", "concurrently"):
        at += 1
    return name_at(tokens, at)[0]


def in_sql(file: str, text: str, statements: list[Sql]) -> Iterator[Finding]:
    """`header`, `misplaced` and `table-in-sql`: what is wrong with a file of sql/, its name and what stands in it."""
    path = PurePosixPath(file)
    base, _, suffix = path.stem.partition(".")
    name = f"{path.parent.name}.{base}"
    header = HEADER.fullmatch(text.partition("\n")[0])
    if header is None or header[1] != name:
        yield Finding(file, 1, "header", name, "line 1 doesn't name the object", f"write: -- {name} - what it is for.")
    if not statements or not statements[0].starts("set local role"):
        yield Finding(file, 1, "header", name, "no owner is set first", "begin with: set local role <owner>;")
    for statement in statements:
        kind = head(statement)
        verb, _, thing = kind.partition(" ")
        if verb in ("create", "alter") and thing in OF_TABLES and not _is_switch(statement):
            remedy = "write it in a migration, outside frozen blocks"
            yield Finding(file, statement.line, "table-in-sql", made(statement), f"{kind} stands in sql/", remedy)
        elif verb not in ("drop", "set", "reset") and kind not in KINDS.get(suffix, ()):
            remedy = "one object a file: " + ", ".join(f"<name>.{end}.sql" for end in KINDS if end)
            yield Finding(file, statement.line, "misplaced", name, f"{kind} stands in a file of this name", remedy)
        elif verb == "create" and made(statement) != name:
            remedy = "the file's name is the object's"
            yield Finding(
                file, statement.line, "misplaced", made(statement), "stands in a file of another name", remedy
            )


def _is_switch(statement: Sql) -> bool:
    """Whether an ALTER TABLE only switches triggers or row-level security."""
    at = name_at(statement.tokens, statement.words.index("table") + 1)[1] if "table" in statement.words[:3] else 0
    switches = ("enable", "disable", "force", "no")
    return at > 0 and all(part[0].word in switches for part in items(statement.tokens[at:]))


def in_migration(file: str, statement: Sql, needed: set[str], in_sql_too: set[str]) -> Iterator[Finding]:
    """`function-in-migration`: code outside a frozen block. needed: the functions that tables and indexes use."""
    kind = head(statement)
    verb, _, thing = kind.partition(" ")
    if verb == "create" and thing in OF_CODE:
        name = made(statement)
        if thing == "function" and name in needed:
            if name in in_sql_too:
                message = "a table uses it, and it stands in sql/ too"
                yield Finding(
                    file, statement.line, "function-in-migration", name, message, "take the file in sql/ away"
                )
            return
        remedy = "write it in sql/ and freeze it"
        yield Finding(file, statement.line, "function-in-migration", name, f"{kind} outside a frozen block", remedy)
    elif verb in ("grant", "revoke"):
        wrong = _granted_on(statement, needed)
        if wrong:
            remedy = "write it in sql/, in its object's file or in <table>.grants.sql, and freeze it"
            yield Finding(
                file, statement.line, "function-in-migration", wrong, f"{verb} outside a frozen block", remedy
            )


def _granted_on(statement: Sql, needed: set[str]) -> str:
    """The object of a grant that doesn't belong into a migration; empty where there is none."""
    words = statement.words
    if "on" not in words:
        return ""
    on = words.index("on")
    rest: list[Token] = statement.tokens[on + 1 :]
    if rest[0].word in GRANTED or words[1:on] == ["references"]:
        return ""
    names = [name_at(part, 1 if part[0].word in ("function", "table", "sequence") else 0)[0] for part in items(rest)]
    if rest[0].word == "function":
        names = [name for name in names if "." in name and name not in needed]
    return names[0] if names else ""
