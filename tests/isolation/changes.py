"""The changes for a scene: no policies, a forged pin, a missing predicate."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from tools.pins import TENANT
from tools.sqltext import Sql

_POLICIES = """
select p.polrelid::regclass || '.' || p.polname, format('alter policy %I on %s', p.polname, p.polrelid::regclass)
  || case when p.polqual is not null then ' using (true)' else '' end
  || case when p.polwithcheck is not null then ' with check (true)' else '' end
from pg_policy as p
where p.polroles && array['leads_exec'::regrole::oid, 'leads_intake'::regrole::oid, 'leads_bi'::regrole::oid]
"""

_DEFINITIONS = """
select p.oid::regprocedure::text, pg_get_functiondef(p.oid)
from pg_proc as p
where p.prokind = 'f' and p.pronamespace::regnamespace::text in ('admin', 'api', 'app', 'audit', 'auth', 'crm', 'intake', 'scoring', 'webhook')
union all
select c.oid::regclass::text, format('create or replace view %s with (%s) as %s', c.oid::regclass,
  array_to_string(c.reloptions, ', '), pg_get_viewdef(c.oid))
from pg_class as c
where c.relkind = 'v' and c.relnamespace::regnamespace::text in ('auth', 'bi')
order by 1
"""


def policies(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The statement that lets every row through a policy,
    for those of the API's, the forms' and the analysts' roles.

    The policies of the other roles let every row through: they work for all organizations.
    """
    return dict(connection.execute(_POLICIES).fetchall())


def without_policies(connection: psycopg.Connection[Any]) -> list[str]:
    """Lets every row through all of them."""
    return list(policies(connection).values())


def definitions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The statement that makes each function and view, by its name."""
    return dict(connection.execute(_DEFINITIONS).fetchall())


FORGED = {"organization_id": "text", "entered_organization_id": "", "analyst_organization_id": ""}


def forged(connection: psycopg.Connection[Any], organization_id: str) -> list[str]:
    """Makes every function and view pin this organization for every caller.
    The policies still check the claim.
    """
    changes = []
    for name, argument in FORGED.items():
        changes += [
            f"create function auth.forged_{name}({argument}) returns uuid language sql stable return '{organization_id}'::uuid",
            f"grant execute on function auth.forged_{name}({argument}) to public",
        ]
    for text in definitions(connection).values():
        changed = text
        for name in FORGED:
            changed = changed.replace(f"auth.{name}(", f"auth.forged_{name}(")
        if changed != text and "FUNCTION auth." not in text:
            changes.append(changed)
    return changes


@dataclass(frozen=True)
class Mutant:
    """A function or a view without one tenant predicate.
    place: the predicate, and its line in the definition.
    """

    name: str
    place: str
    statement: str


def mutants(name: str, definition: str) -> Iterator[Mutant]:
    """The definition without each of the predicates on organization_id, in turn."""
    before, text, after = _body(definition)
    sql = Sql(text)
    for index, word in enumerate(sql.words):
        removed = _comparison(sql, index) if word == "=" else _using(sql, index) if word == "using" else None
        if removed:
            first, last, replacement = removed
            start, end = sql.tokens[first].start, sql.tokens[last].end
            line = definition.count("\n", 0, len(before) + start) + 1
            mutated = before + text[:start] + replacement + text[end:] + after
            yield Mutant(name, f"{line}: {' '.join(text[start:end].split())}", mutated)


def _body(definition: str) -> tuple[str, str, str]:
    """The text before the body, the body, and the text after it."""
    for mark in ("$function$", "$procedure$"):
        if mark in definition:
            before, body, after = definition.split(mark)
            return before + mark, body, mark + after
    at = definition.find("BEGIN ATOMIC")
    at = at if at >= 0 else definition.find(" as ")
    return definition[:at], definition[at:], ""


def _comparison(sql: Sql, index: int) -> tuple[int, int, str] | None:
    """The first and the last token of a comparison with an organization_id,
    and the text that replaces it.
    """
    first, last = _left(sql, index), _right(sql, index)
    left, right = _parts(sql.cut(first, index)), _parts(sql.cut(index + 1, last + 1))
    if not any(map(_is_tenant, (*left, *right))):
        return None
    if len(left) != len(right) or len(left) == 1:
        return (first, last, "true") if _is_tenant(left[0]) or _is_tenant(right[0]) else None
    pairs = [("true", "true") if _is_tenant(a) or _is_tenant(b) else (a, b) for a, b in zip(left, right, strict=True)]
    return first, last, " = ".join(f"({', '.join(side)})" for side in zip(*pairs, strict=True))


def _using(sql: Sql, index: int) -> tuple[int, int, str] | None:
    """The same for a join by USING."""
    if sql.words[index + 1] != "(":
        return None
    end = sql.closing(index + 1)
    names = _parts(sql.cut(index + 1, end + 1))
    others = [name for name in names if name != TENANT]
    return (index, end, f"using ({', '.join(others)})" if others else "on true") if others != names else None


def _is_tenant(side: str) -> bool:
    return side.strip("() ").rpartition(".")[2] == TENANT


# Before a parenthesis, these words are no name of a function.
_KEYWORDS = frozenset("and or not on where when then else elsif if case having select return in values with by".split())


def _left(sql: Sql, index: int) -> int:
    """The first token of the operand before an operator."""
    index -= 1
    while True:
        if sql.words[index] in (")", "]"):
            index = sql.closing(index, -1)
            before = sql.words[index - 1]
            index -= before not in _KEYWORDS and (before[0].isalnum() or before[0] in '_"')
        if sql.words[index - 1] in (".", "::"):
            index -= 2
        else:
            return index


def _right(sql: Sql, index: int) -> int:
    """The last token of the operand after an operator."""
    words = [*sql.words, ""]
    index += 1
    index += words[index] in ("any", "row")
    if words[index] == "(":
        index = sql.closing(index)
    while True:
        if words[index + 1] in ("(", "["):
            index = sql.closing(index + 1)
        elif words[index + 1] in (".", "::"):
            index += 2
        else:
            return index


def _parts(side: Sql) -> list[str]:
    """The parts of a row or of a list in parentheses; else the one text."""
    start = 1 if side.words[0] == "row" else 0
    if side.words[start] != "(" or side.closing(start) != len(side.words) - 1:
        return [str(side)]
    return [str(part) for part in side.cut(start + 1, -1).items()]
