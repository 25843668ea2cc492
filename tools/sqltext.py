"""Cuts SQL text into statements, and functions into the queries that sqlglot can parse.

sqlglot parses queries. It doesn't parse policies, cuts a body `begin atomic … end` at its
semicolons, and raises on the statements of plpgsql. So the tokens decide here where a statement and
a query begin and end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlglot.dialects.postgres import Postgres

QUERY = frozenset({"select", "insert", "update", "delete", "with", "values", "merge", "truncate", "table"})
# A plpgsql statement begins after these words.
CUTS = frozenset({";", "begin", "declare", "then", "else", "loop"})


class _Tokenizer(Postgres.Tokenizer):
    # Otherwise a statement that begins with CALL or FETCH is one token up to the next semicolon,
    # even within quotes.
    COMMANDS: ClassVar[set[Any]] = set()


@dataclass(frozen=True)
class Token:
    """word: the text, in lower case if it isn't quoted.
    end: the offset after the last character.
    """

    word: str
    start: int
    end: int


class Sql:
    """A text with its tokens, or some of them."""

    def __init__(self, text: str, tokens: Sequence[Token] | None = None) -> None:
        self.text = text
        if tokens is None:
            tokens = [_token(text, t.start, t.end + 1) for t in _Tokenizer(dialect="postgres").tokenize(text)]
        self.tokens = tokens
        self.words = [token.word for token in tokens]

    def __str__(self) -> str:
        return self.text[self.tokens[0].start : self.tokens[-1].end] if self.tokens else ""

    def cut(self, start: int, end: int | None = None) -> Sql:
        """From the token with this index up to the other one."""
        return Sql(self.text, self.tokens[start:end])

    def closing(self, index: int, step: int = 1) -> int:
        """The index of the parenthesis that belongs to the one at this index;
        step -1 looks to the left.
        """
        depth = 0
        while 0 <= index < len(self.words):
            depth += (self.words[index] in ("(", "[")) - (self.words[index] in (")", "]"))
            if depth == 0:
                return index
            index += step
        raise ValueError("a parenthesis has no counterpart")

    def items(self) -> list[Sql]:
        """The parts between commas that are not in parentheses."""
        parts, depth, start = [], 0, 0
        for index, word in enumerate([*self.words, ","]):
            depth += (word in ("(", "[")) - (word in (")", "]"))
            if word == "," and depth == 0:
                parts.append(self.cut(start, index))
                start = index + 1
        return parts

    def name(self, index: int) -> str:
        """The name that begins at this index, with its schema if it has one."""
        end = index + 3 if self.words[index + 1 : index + 2] == ["."] else index + 1
        return "".join(self.words[index:end]).replace('"', "")

    def starts(self, pattern: str) -> bool:
        """Whether the regular expression matches the first words."""
        return re.match(rf"(?:{pattern})(?: |$)", " ".join(self.words)) is not None


def _token(text: str, start: int, end: int) -> Token:
    raw = text[start:end]
    return Token(raw if raw[0] in "'\"$" else " ".join(raw.lower().split()), start, end)


def statements(sql: Sql) -> Iterator[Sql]:
    """The statements of a text, cut at the semicolons outside `begin atomic … end`."""
    start, atomic = 0, 0
    for index, word in enumerate(sql.words):
        if atomic:
            atomic += (word == "case") - (word == "end")
        elif word == "atomic" and index and sql.words[index - 1] == "begin":
            atomic = 1
        elif word == ";":
            yield sql.cut(start, index)
            start = index + 1
    if start < len(sql.words):
        yield sql.cut(start)


def made(statement: Sql) -> str:
    """The name of the function, the view or the table of a policy or trigger that a statement
    makes; else empty.
    """
    for pattern, word in (
        (r"create (or replace )?(function|procedure|view)", r"function|procedure|view"),
        (r"create (constraint )?trigger|create policy", "on"),
        ("(create( unlogged)?|alter) table", "table"),
    ):
        if statement.starts(pattern):
            at = next(index for index, candidate in enumerate(statement.words) if re.fullmatch(word, candidate)) + 1
            while statement.words[at] in ("if", "not", "exists", "only"):
                at += 1
            return statement.name(at)
    return ""


def body(statement: Sql) -> Sql:
    """The part of a statement that contains queries; empty in a policy, for example."""
    words = statement.words
    if statement.starts("create (or replace )?view"):
        return statement.cut(words.index("as") + 1)
    if statement.starts("do"):
        return _unquoted(words[1])
    if statement.starts("create (or replace )?(function|procedure)"):
        # An argument can have the name too.
        begin = next((at for at in range(1, len(words)) if words[at - 1 : at + 1] == ["begin", "atomic"]), 0)
        if begin:
            return statement.cut(begin + 1, -1)
        return _unquoted(words[words.index("as") + 1]) if "as" in words else statement.cut(words.index("return"))
    return statement if words and words[0] in QUERY else Sql("")


def queries(statement: Sql) -> Iterator[Sql | None]:
    """The queries in a statement; None for one that is put together when it runs."""
    text = body(statement)
    if statement.starts("do") or "plpgsql" in statement.words:
        yield from _of_plpgsql(text)
    elif text.words[:1] == ["return"]:
        yield _selected(text.cut(1))
    else:
        yield from statements(text)


def _unquoted(word: str) -> Sql:
    if word.startswith("$"):
        return Sql(word[word.index("$", 1) + 1 : word.rindex("$", 0, len(word) - 1)])
    return Sql(word[1:-1].replace("''", "'"))


def _selected(expression: Sql) -> Sql:
    return Sql(f"select {expression}")


def _of_plpgsql(body: Sql) -> Iterator[Sql | None]:
    start, depth = 0, 0
    for index, word in enumerate([*body.words, ";"]):
        if word in ("(", "[") or (word == "case" and index > start and body.words[index - 1] != "end"):
            depth += 1
        elif depth:
            depth -= word in (")", "]", "end")
        elif word in CUTS:
            yield from _of_statement(body.cut(start, index))
            start = index + 1


def _of_statement(statement: Sql) -> Iterator[Sql | None]:
    """The queries of one plpgsql statement, without the INTO that sqlglot doesn't parse."""
    words, depth = statement.words, 0
    if "execute" in words:
        yield None
        return
    for index, word in enumerate(words):
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if depth == 0 and word in QUERY:
            yield _without_into(statement.cut(index))
            return
        if depth == 0 and word == "from" and words[index - 1] != "distinct":
            # PERFORM and expressions have the clauses of a query:
            # v_count := count(*) from app.lead;
            start = next((at for at in range(index) if words[at] in (":=", "=")), 0)
            yield _selected(_without_into(statement.cut(start + 1)))
            return
    index = 0
    while index < len(words):
        if words[index] == "(" and words[index + 1] in QUERY:
            end = statement.closing(index)
            yield statement.cut(index + 1, end)
            index = end
        index += 1


def _without_into(query: Sql) -> Sql:
    words, index = query.words, 0
    while index < len(words):
        if words[index] in ("(", "["):
            index = query.closing(index)
        elif words[index] == "into" and words[index - 1] not in ("insert", "merge"):
            end = index + 2 + (words[index + 1] == "strict")
            while words[end : end + 1] and words[end] in (".", ",", "["):
                end = query.closing(end) + 1 if words[end] == "[" else end + 2
            return Sql(f"{query.cut(0, index)} {query.cut(end)}")
        index += 1
    return query
