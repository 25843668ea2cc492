"""Functions and DO blocks: their names, which names are values in them, and the pieces of SQL in their bodies."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools import plpgsql
from tools.sqltext import Sql, Token, Unreadable, closing, items, name_at, statements

# What a trigger's function knows without declaring it.
GIVEN = frozenset({"new", "old"})
MODES = frozenset({"in", "out", "inout", "variadic"})


@dataclass(frozen=True)
class Routine:
    """A function, a procedure or a DO block, taken apart. values: its parameters, its variables and its own name."""

    name: str
    values: frozenset[str]
    pieces: list[plpgsql.Piece] = field(default_factory=list)


def read_routine(statement: Sql) -> Routine:
    """Takes a `create function`, a `create procedure` or a `do` apart. Raises Unreadable."""
    if statement.starts("do"):
        return _read("do", "plpgsql", frozenset(), statement, _body(statement, statement.tokens))
    tokens = statement.tokens
    kind = next(index for index, token in enumerate(tokens) if token.word in ("function", "procedure"))
    name, index = name_at(tokens, kind + 1)
    if index >= len(tokens) or tokens[index].word != "(":
        raise Unreadable("a function's name is followed by its parameters")
    end = closing(tokens, index)
    values = _parameters(tokens[index + 1 : end])
    rest = tokens[end + 1 :]
    words = [token.word for token in rest]
    if words[:3] == ["returns", "table", "("]:
        values |= _parameters(rest[3 : closing(rest, 2)])
    language = rest[words.index("language") + 1].name if "language" in words[:-1] else "sql"
    return _read(name, language.strip("'"), values, statement, _body(statement, rest))


def _read(name: str, language: str, values: frozenset[str], statement: Sql, body: Sql) -> Routine:
    own = frozenset({name.rpartition(".")[2]})
    if language == "sql":
        return Routine(name, values | own, [plpgsql.Piece("query", piece) for piece in statements(body)])
    if language == "plpgsql":
        variables, pieces = plpgsql.cut(body)
        return Routine(name, values | own | variables | GIVEN, pieces)
    raise Unreadable(f"the language {language} is not read")


def _parameters(tokens: list[Token]) -> frozenset[str]:
    """The names of parameters or of a table's columns."""
    names = set()
    for part in items(tokens):
        named = [token for token in part if token.word not in MODES]
        if len(named) > 1 and named[0].is_name and named[1].is_name:
            names.add(named[0].name)
    return frozenset(names)


def _body(statement: Sql, tokens: list[Token]) -> Sql:
    for index, token in enumerate(tokens[:-1]):
        following = tokens[index + 1]
        if token.word in ("as", "do") and following.is_body:
            return statement.body(following)
        if token.word == "begin" and following.word == "atomic":
            return statement.cut(following.end, tokens[-1].start)
        if token.word == "return":
            piece = statement.cut(following.start, tokens[-1].end)
            return Sql("select " + piece.text, piece.line)
    raise Unreadable("the body is neither in dollar quotes nor begin atomic … end")
