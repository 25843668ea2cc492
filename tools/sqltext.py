"""SQL text that keeps its place: tokens and statements that know their line in the file.

sqlglot's parser cuts a `begin atomic` body at its semicolons and makes one opaque lump of what it doesn't know (a
policy, a DO block); its tokenizer reads all of it. So statements are cut here, and the parser is given single queries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from sqlglot import exp, parse
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, SqlglotError

OPENING = frozenset("([")
CLOSING = frozenset(")]")


class Unreadable(Exception):
    """A text that sqlglot can't read; the message says where it stopped."""


class _Tokenizer(Postgres.Tokenizer):
    # As sqlglot has it, a statement that begins with CALL or FETCH is one string up to the next semicolon, even within
    # quotes.
    COMMANDS: ClassVar[set[Any]] = set()


@dataclass(frozen=True)
class Token:
    """A token. word: as it compares with a keyword, so in lower case, with single spaces, and quoted where it is."""

    word: str
    line: int
    start: int
    end: int

    @property
    def name(self) -> str:
        """The word as a name: without the quotes."""
        return self.word[1:-1].replace('""', '"') if self.word.startswith('"') else self.word

    @property
    def is_body(self) -> bool:
        """Whether this is a string in dollar quotes."""
        return len(self.word) > 1 and self.word[0] == self.word[-1] == "$"

    @property
    def is_name(self) -> bool:
        return self.word[0] in '_"' or (self.word[0].isalpha() and "'" not in self.word)


@dataclass(frozen=True)
class Sql:
    """A piece of SQL. line: where its first character stands in its file, from 1."""

    text: str
    line: int = 1

    @cached_property
    def tokens(self) -> list[Token]:
        """Raises Unreadable for a quote that nobody closes."""
        try:
            found = _Tokenizer(dialect="postgres").tokenize(self.text)
        except SqlglotError as error:
            raise Unreadable(str(error).splitlines()[0]) from error
        tokens, line, seen = [], self.line, 0
        for token in found:
            line, seen = line + self.text.count("\n", seen, token.start), token.start
            raw = self.text[token.start : token.end + 1]
            word = raw if raw[0] in "'\"$" else " ".join(raw.lower().split())
            tokens.append(Token(word, line, token.start, token.end + 1))
        return tokens

    @cached_property
    def words(self) -> list[str]:
        return [token.word for token in self.tokens]

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that change with any token of the text; comments and white space don't count."""
        return hashlib.sha256("\0".join(self.words).encode()).hexdigest()[:12]

    def cut(self, start: int, end: int) -> Sql:
        """The piece between two offsets."""
        return Sql(self.text[start:end], self.line + self.text.count("\n", 0, start))

    def between(self, tokens: Sequence[Token]) -> Sql:
        """The piece from the first to the last of these tokens."""
        return self.cut(tokens[0].start, tokens[-1].end) if tokens else Sql("", self.line)

    def body(self, token: Token) -> Sql:
        """What stands between the dollar quotes of a token."""
        tag = token.word.index("$", 1) + 1
        return self.cut(token.start + tag, token.end - tag)

    def starts(self, *phrases: str) -> bool:
        """Whether the text begins with one of these phrases, whose words are separated by single spaces."""
        return any(self.words[: phrase.count(" ") + 1] == phrase.split() for phrase in phrases)


def statements(sql: Sql) -> Iterator[Sql]:
    """The statements of a text, cut at semicolons outside quotes and `begin atomic … end`."""
    atomic, begun, before = 0, None, ""
    for token in sql.tokens:
        word = token.word
        if word == ";" and not atomic:
            if begun is not None:
                yield sql.cut(begun, token.start)
            begun = None
            continue
        begun = token.start if begun is None else begun
        if atomic:
            atomic += (word == "case") - (word == "end")
        elif word == "atomic" and before == "begin":
            atomic = 1
        before = word
    if begun is not None:
        yield sql.cut(begun, len(sql.text))


def closing(tokens: Sequence[Token], opening: int) -> int:
    """The index of the token that closes the parenthesis at this index; the last index where none does."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += (tokens[index].word in OPENING) - (tokens[index].word in CLOSING)
        if depth == 0:
            return index
    return len(tokens) - 1


def items(tokens: Sequence[Token]) -> list[list[Token]]:
    """The parts of a list, cut at commas outside parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.word in OPENING) - (token.word in CLOSING)
        if token.word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def name_at(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    """The name, with its schema if it has one, that begins at this index, and the index after it."""
    parts: list[str] = []
    while index < len(tokens) and tokens[index].is_name:
        parts.append(tokens[index].name)
        index += 1
        if index >= len(tokens) or tokens[index].word != ".":
            break
        index += 1
    return ".".join(parts), index


def names_in(sql: Sql) -> tuple[set[str], set[str]]:
    """All names with a schema in a text, the bodies of functions included; and those of them that an ( follows."""
    mentioned: set[str] = set()
    called: set[str] = set()
    tokens = sql.tokens
    for index, token in enumerate(tokens):
        if token.is_body and tokens[index - 1].word in ("as", "do"):
            inner = names_in(sql.body(token))
            mentioned, called = mentioned | inner[0], called | inner[1]
        elif token.word == "." and 0 < index < len(tokens) - 1:
            name = f"{tokens[index - 1].name}.{tokens[index + 1].name}"
            mentioned.add(name)
            if index + 2 < len(tokens) and tokens[index + 2].word == "(":
                called.add(name)
    return mentioned, called


def _eased(sql: Sql) -> str:
    """The text without forms that sqlglot 30 stops at, and that name no table: `a[:b.c]`, `::oid[]`, `overriding …`."""
    text, tokens, words = sql.text, sql.tokens, sql.words
    for index in reversed(range(len(tokens) - 2)):
        if words[index : index + 2] == ["[", ":"]:
            text = f"{text[: tokens[index].end]}0{text[tokens[index].end :]}"
        elif words[index + 1 : index + 3] == ["[", "]"] and words[index] not in ("array", "]"):
            text = text[: tokens[index].end] + text[tokens[index + 2].end :]
        elif words[index] == "overriding" and words[index + 2] == "value":
            text = text[: tokens[index].start] + text[tokens[index + 2].end :]
    return text


def read_query(sql: Sql) -> exp.Expr:
    """One query as sqlglot's tree. Raises Unreadable."""
    try:
        trees = parse(_eased(sql), read="postgres")
    except ParseError as error:
        place = error.errors[0]
        raise Unreadable(f"sqlglot stops at line {sql.line + place['line'] - 1}: {place['description']}") from error
    except SqlglotError as error:
        raise Unreadable(str(error).splitlines()[0]) from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query | exp.DML | exp.Values):
        raise Unreadable("this is no query that sqlglot knows")
    return trees[0]
