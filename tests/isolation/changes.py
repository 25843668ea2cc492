"""The changes for a scene: no policies, a forged pin, a missing predicate."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from pglast.parser import Token, scan

TENANT = "organization_id"

_POLICIES = """
select p.polrelid::regclass || '.' || p.polname, format('alter policy %I on %s', p.polname, p.polrelid::regclass)
  || case when p.polqual is not null then ' using (true)' else '' end
  || case when p.polwithcheck is not null then ' with check (true)' else '' end
from pg_policy as p
where p.polroles && array['leads_exec'::regrole::oid, 'leads_bi'::regrole::oid]
"""

_DEFINITIONS = """
select p.oid::regprocedure::text, pg_get_functiondef(p.oid)
from pg_proc as p
where p.prokind = 'f' and p.pronamespace::regnamespace::text in ('admin', 'api', 'app', 'audit', 'auth', 'crm', 'scoring')
union all
select c.oid::regclass::text, format('create or replace view %s with (%s) as %s', c.oid::regclass,
  array_to_string(c.reloptions, ', '), pg_get_viewdef(c.oid))
from pg_class as c
where c.relkind = 'v' and c.relnamespace::regnamespace::text in ('auth', 'bi')
order by 1
"""


def policies(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The statement that lets every row through a policy, for those of the API's and the analysts' roles.

    The policies of the other roles let every row through: they work for all organizations.
    """
    return dict(connection.execute(_POLICIES).fetchall())


def without_policies(connection: psycopg.Connection[Any]) -> list[str]:
    """Lets every row through all of them."""
    return list(policies(connection).values())


def definitions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The statement that makes each function and view, by its name."""
    return dict(connection.execute(_DEFINITIONS).fetchall())


FORGED = {"organization_id": "text", "analyst_organization_id": ""}


def forged(connection: psycopg.Connection[Any], organization_id: str) -> list[str]:
    """Makes every function and view pin this organization for every caller. The policies still check the claim."""
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
    """A function or a view without one tenant predicate. place: the predicate, and its line in the definition."""

    name: str
    place: str
    statement: str


def mutants(name: str, definition: str) -> Iterator[Mutant]:
    """The definition without each of the predicates on organization_id, in turn."""
    start, text, end = _body(definition)
    tokens = scan(text)
    for index, token in enumerate(tokens):
        for first, last, instead in _without(text, tokens, index, token.name):
            begun, ended = tokens[first].start, tokens[last].end + 1
            line = definition.count("\n", 0, len(start) + begun) + 1
            mutated = start + text[:begun] + instead + text[ended:] + end
            yield Mutant(name, f"{line}: {' '.join(text[begun:ended].split())}", mutated)


def _body(definition: str) -> tuple[str, str, str]:
    """The text before the body, the body, and the text after it."""
    for mark in ("$function$", "$procedure$"):
        if mark in definition:
            before, body, behind = definition.split(mark)
            return before + mark, body, mark + behind
    at = definition.find("BEGIN ATOMIC")
    at = at if at >= 0 else definition.find(" as ")
    return definition[:at], definition[at:], ""


def _without(text: str, tokens: list[Token], index: int, kind: str) -> Iterator[tuple[int, int, str]]:
    """The begin and the end of the predicate at this token, and its replacement."""
    if text[tokens[index].start : tokens[index].end + 1] == "=":
        first, last = _before(text, tokens, index), _behind(text, tokens, index)
        sides = [_items(text, tokens, first, index - 1), _items(text, tokens, index + 1, last)]
        if len(sides[0]) == len(sides[1]) > 1:
            at = [n for n, pair in enumerate(zip(*sides, strict=True)) if any(map(_is_tenant, pair))]
            if at:
                row = ", ".join("true" if n in at else side for n, side in enumerate(sides[0]))
                other = ", ".join("true" if n in at else side for n, side in enumerate(sides[1]))
                yield first, last, f"({row}) = ({other})"
        elif any(_is_tenant(side) for side in (sides[0][0], sides[1][0])):
            yield first, last, "true"
    elif kind == "USING" and _word(text, tokens, index + 1) == "(":
        end = _closing(text, tokens, index + 1, 1)
        names = [item for item in _items(text, tokens, index + 1, end) if item != TENANT]
        if len(names) < len(_items(text, tokens, index + 1, end)):
            yield index, end, f"using ({', '.join(names)})" if names else "on true"


def _is_tenant(side: str) -> bool:
    return side.strip("() ").rpartition(".")[2] == TENANT


def _word(text: str, tokens: list[Token], index: int) -> str:
    return text[tokens[index].start : tokens[index].end + 1] if 0 <= index < len(tokens) else ""


def _is_name(text: str, tokens: list[Token], index: int) -> bool:
    word = _word(text, tokens, index)
    return bool(word) and (word[0].isalnum() or word[0] in "_\"'$") and tokens[index].kind != "RESERVED_KEYWORD"


def _closing(text: str, tokens: list[Token], index: int, step: int) -> int:
    """The index of the parenthesis that belongs to the one at this index."""
    depth = 0
    while 0 <= index < len(tokens):
        word = _word(text, tokens, index)
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if depth == 0:
            return index
        index += step
    raise ValueError("a parenthesis has no counterpart")


def _behind(text: str, tokens: list[Token], index: int) -> int:
    """The last token of the operand behind an operator."""
    index += 1
    if _word(text, tokens, index).lower() in ("any", "row"):
        index += 1
    if _word(text, tokens, index) == "(":
        index = _closing(text, tokens, index, 1)
    while True:
        following = _word(text, tokens, index + 1)
        if following in ("(", "["):
            index = _closing(text, tokens, index + 1, 1)
        elif following in (".", "::"):
            index += 2
        else:
            return index


def _before(text: str, tokens: list[Token], index: int) -> int:
    """The first token of the operand before an operator."""
    index -= 1
    while True:
        if _word(text, tokens, index) in (")", "]"):
            index = _closing(text, tokens, index, -1)
            if _is_name(text, tokens, index - 1) or _word(text, tokens, index - 1).lower() == "row":
                index -= 1
        if _word(text, tokens, index - 1) in (".", "::"):
            index -= 2
        else:
            return index


def _items(text: str, tokens: list[Token], first: int, last: int) -> list[str]:
    """The parts of a list in parentheses; else the one text."""
    first += _word(text, tokens, first).lower() == "row"
    if not (_word(text, tokens, first) == "(" and _closing(text, tokens, first, 1) == last):
        return [text[tokens[first].start : tokens[last].end + 1]]
    parts, depth, begun = [], 0, tokens[first].end + 1
    for index in range(first, last + 1):
        word = _word(text, tokens, index)
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if (word == "," and depth == 1) or index == last:
            parts.append(text[begun : tokens[index].start].strip())
            begun = tokens[index].end + 1
    return parts
