"""A plpgsql body, cut at its statements' starts into queries and expressions that sqlglot can read.

sqlglot raises on `select … into`, `return query`, `perform` and `for r in select`. So the body is walked token by
token: the words of plpgsql are left out, INTO and its targets are blanked, what is left is plain SQL on its own line.
An expression without SELECT, FROM or TABLE reads no table by itself, and isn't read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tools.sqltext import CLOSING, OPENING, Sql, Token, closing

Kind = Literal["query", "dynamic", "unknown"]

QUERY = frozenset({"select", "insert", "update", "delete", "with", "values", "merge", "table", "truncate", "("})
PASSED = frozenset({";", "begin", "else", "loop", "exception"})
# Statements of which only the subqueries matter.
OTHER = frozenset({"raise", "call", "get", "fetch", "move", "close", "null", "commit", "rollback", "assert"})


@dataclass(frozen=True)
class Piece:
    """A query; a statement made from a string ("dynamic"); or one that isn't known here ("unknown")."""

    kind: Kind
    sql: Sql


def cut(body: Sql) -> tuple[frozenset[str], list[Piece]]:
    """The names that a body declares, and its pieces. Raises Unreadable for a quote that nobody closes."""
    walk = _Walk(body)
    walk.run()
    return frozenset(walk.variables), walk.pieces


class _Walk:
    def __init__(self, body: Sql) -> None:
        self.body = body
        self.tokens = body.tokens
        self.at = 0
        self.variables: set[str] = set()
        self.pieces: list[Piece] = []

    def word(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead].word if self.at + ahead < len(self.tokens) else ""

    def until(self, *words: str) -> list[Token]:
        """The tokens up to the first of these words outside parentheses and CASE … END; stands after the word then."""
        begun, depth = self.at, 0
        while self.at < len(self.tokens):
            word = self.word()
            if depth == 0 and word in words:
                break
            depth += (word in OPENING or word == "case") - (word in CLOSING or word == "end")
            self.at += 1
        taken = self.tokens[begun : self.at]
        self.at += 1
        return taken

    def run(self) -> None:
        while self.at < len(self.tokens):
            self.statement()

    def statement(self) -> None:
        word = self.word()
        if word in PASSED:
            self.at += 1
        elif word == "#":  # a compiler option, to the end of its line
            line = self.tokens[self.at].line
            while self.at < len(self.tokens) and self.tokens[self.at].line == line:
                self.at += 1
        elif word == "<":  # <<label>>
            self.at += 5
        elif word == "end":
            self.at += 1
            while self.word() not in (";", ""):
                self.at += 1
        elif word == "declare":
            self.at += 1
            while self.word() not in ("begin", ""):
                self.declaration()
        elif word in ("if", "elsif", "elseif", "when"):
            self.at += 1
            self.expression(self.until("then"))
        elif word == "while":
            self.at += 1
            self.expression(self.until("loop"))
        elif word == "case":
            self.at += 1
            self.expression(self.until("when"))
            self.at -= 1
        elif word in ("for", "foreach"):
            self.at += 1
            self.variables |= {token.name for token in self.until("in") if token.is_name}
            self.source(self.until("loop"))
        else:
            self.simple(self.until(";"))

    def declaration(self) -> None:
        tokens = self.until(";")
        if not tokens:
            return
        self.variables.add(tokens[0].name)
        words = [token.word for token in tokens]
        if "cursor" in words[1:4] and ("for" in words or "is" in words):
            self.query(tokens[words.index("for" if "for" in words else "is") + 1 :])
            return
        starts = [index + 1 for index, word in enumerate(words) if word in (":=", "=", "default")]
        if starts:
            self.expression(tokens[starts[0] :])

    def simple(self, tokens: list[Token]) -> None:
        words = [token.word for token in tokens]
        first = words[0]
        if first == "execute" or words[:3] == ["return", "query", "execute"]:
            self.pieces.append(Piece("dynamic", self.body.between(tokens)))
        elif words[:2] == ["return", "query"]:
            self.query(tokens[2:])
        elif first == "return":
            self.expression(tokens[2:] if words[1:2] == ["next"] else tokens[1:])
        elif first == "perform":
            self.expression(tokens[1:])
        elif first == "open" and "for" in words:
            self.source(tokens[words.index("for") + 1 :])
        elif first in ("exit", "continue"):
            self.expression(tokens[words.index("when") + 1 :] if "when" in words else [])
        elif first in OTHER or first == "open":
            self.subqueries(tokens)
        elif first in QUERY and first != "(":
            self.query(tokens)
        else:
            self.assignment(tokens, words)

    def assignment(self, tokens: list[Token], words: list[str]) -> None:
        for index, word in enumerate(words):
            if word in (":=", "="):
                self.expression(tokens[index + 1 :])
                return
        self.pieces.append(Piece("unknown", self.body.between(tokens)))

    def source(self, tokens: list[Token]) -> None:
        """What a loop or a cursor goes over: a query, a string, or numbers, an array, a cursor."""
        words = [token.word for token in tokens]
        if words[:1] == ["execute"]:
            self.pieces.append(Piece("dynamic", self.body.between(tokens)))
        elif words and words[0] in QUERY and (words[0] != "(" or words[1] in QUERY):
            self.query(tokens)
        else:
            self.subqueries(tokens)

    def expression(self, tokens: list[Token]) -> None:
        """plpgsql puts SELECT before an expression, so `v := count(*) from app.lead` is a query too."""
        if any(token.word in ("select", "from", "table") for token in tokens):
            piece = self.without_into(tokens)
            self.pieces.append(Piece("query", Sql("select " + piece.text, piece.line)))

    def subqueries(self, tokens: list[Token]) -> None:
        index = 0
        while index < len(tokens) - 1:
            if tokens[index].word == "(" and tokens[index + 1].word in QUERY - {"("}:
                end = closing(tokens, index)
                self.query(tokens[index + 1 : end])
                index = end
            index += 1

    def query(self, tokens: list[Token]) -> None:
        self.pieces.append(Piece("query", self.without_into(tokens)))

    def without_into(self, tokens: list[Token]) -> Sql:
        """The text of these tokens; `into [strict] a, b.c, d[1]` is blanked, line breaks stay."""
        piece = self.body.between(tokens)
        for index, token in enumerate(tokens):
            if token.word == "into" and tokens[index - 1].word not in ("insert", "merge"):
                start = token.start - tokens[0].start
                end = tokens[self.targets_end(tokens, index)].end - tokens[0].start
                blank = "".join(char if char == "\n" else " " for char in piece.text[start:end])
                return Sql(piece.text[:start] + blank + piece.text[end:], piece.line)
        return piece

    @staticmethod
    def targets_end(tokens: list[Token], into: int) -> int:
        """The index of the last token of an INTO clause."""
        index = into + 2 if tokens[into + 1].word == "strict" else into + 1
        while index + 1 < len(tokens):
            following = tokens[index + 1].word
            if following == "[":
                index = closing(tokens, index + 1)
            elif following in (".", ","):
                index += 2
            else:
                break
        return index
