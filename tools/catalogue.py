"""The tables that the migrations leave behind, with their columns and keys, read off the tokens of each statement.

Tokens rather than sqlglot's tree: it gives up on a domain, `alter … set statistics`, several actions in one ALTER, and
`nulls not distinct`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tools.sqltext import Sql, Token, closing, items, name_at

IF = frozenset({"if", "not", "exists"})
KINDS = {"primary key": "pkey", "unique": "key", "foreign key": "fkey", "references": "fkey", "exclude": "excl"}


@dataclass(frozen=True)
class Key:
    """An index, a PRIMARY KEY, a UNIQUE, an EXCLUDE or a FOREIGN KEY. first: its first column, empty for an expression.

    target, target_first: the table that a foreign key points to, and the first column named there, if one is.
    """

    name: str
    table: str
    first: str
    columns: frozenset[str]
    file: str
    line: int
    target: str = ""
    target_first: str = ""


@dataclass
class Catalogue:
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)

    def apply(self, statement: Sql, file: str) -> None:
        """Takes up what one statement of a migration does to tables and keys."""
        tokens = [token for token in statement.tokens if token.word not in ("only", "concurrently")]
        words = [token.word for token in tokens]
        at = next((index for index in range(2, len(words)) if words[index] not in IF), 2)
        if words[:2] == ["create", "table"]:
            self._create(tokens, at, file)
        elif words[:2] == ["create", "index"] or words[:3] == ["create", "unique", "index"]:
            self._index(tokens, file)
        elif words[:2] == ["alter", "table"]:
            table, index = name_at(tokens, at)
            for action in items(tokens[index:]):
                table = self._alter(table, action, file)
        elif words[:2] == ["alter", "index"] and words[-3:-1] == ["rename", "to"]:
            self._rename_key(name_at(tokens, at)[0].rpartition(".")[2], tokens[-1].name)
        elif words[:2] in (["drop", "table"], ["drop", "index"]):
            gone = {name_at(part, 0)[0] for part in items(tokens[at:])}
            short = {name.rpartition(".")[2] for name in gone}
            if words[1] == "table":
                self.tables = {name: columns for name, columns in self.tables.items() if name not in gone}
                self.keys = [key for key in self.keys if key.table not in gone]
            else:
                self.keys = [key for key in self.keys if key.name not in short]

    def _create(self, tokens: Sequence[Token], at: int, file: str) -> None:
        table, index = name_at(tokens, at)
        words = [token.word for token in tokens]
        columns: tuple[str, ...] = ()
        if words[index : index + 2] == ["partition", "of"]:
            columns = self.tables.get(name_at(tokens, index + 2)[0], ())
        self.tables[table] = columns
        if index < len(tokens) and tokens[index].word == "(":
            for item in items(tokens[index + 1 : closing(tokens, index)]):
                if item[0].word == "like":
                    self.tables[table] += self.tables.get(name_at(item, 1)[0], ())
                else:
                    self._add(table, item, file)

    def _add(self, table: str, item: Sequence[Token], file: str) -> None:
        """A column with its constraints, or a constraint of the table."""
        name, at = (item[1].name, 2) if item[0].word == "constraint" else ("", 0)
        opening = next((index for index in range(at, len(item)) if item[index].word == "("), 0)
        if item[at].word in KINDS and opening:
            end = closing(item, opening)
            self._key(table, name, items(item[opening + 1 : end]), [item[at], *item[end + 1 :]], file)
        elif at == 0 and item[0].word not in ("check", *KINDS):
            self.tables[table] = (*self.tables.get(table, ()), item[0].name)
            for index, token in enumerate(item):
                if token.word in KINDS:
                    named = item[index - 1].name if item[index - 2].word == "constraint" else ""
                    self._key(table, named, [[item[0]]], item[index:], file)

    def _key(self, table: str, name: str, parts: list[list[Token]], rest: Sequence[Token], file: str) -> None:
        """A key over these columns. rest: its kind, and what follows the columns."""
        names = [part[0].name for part in parts]
        named = [] if rest[0].word == "primary key" else names
        made = "_".join([table.rpartition(".")[2], *named, KINDS[rest[0].word]])  # as PostgreSQL would call it
        target, target_first = "", ""
        for index, token in enumerate(rest):
            if token.word == "references":
                target, at = name_at(rest, index + 1)
                target_first = rest[at + 1].name if rest[at : at + 1] and rest[at].word == "(" else ""
        line = parts[0][0].line
        self.keys.append(Key(name or made, table, names[0], frozenset(names), file, line, target, target_first))

    def _index(self, tokens: Sequence[Token], file: str) -> None:
        words = [token.word for token in tokens]
        on = words.index("on")
        table, index = name_at(tokens, on + 1)
        opening = words.index("(", index)
        parts = items(tokens[opening + 1 : closing(tokens, opening)])
        names = ["" if len(part) > 1 and part[1].word == "(" else part[0].name for part in parts]
        made = "_".join([table.rpartition(".")[2], *names, "idx"])
        name = made if words[on - 1] == "index" else tokens[on - 1].name
        self.keys.append(Key(name, table, names[0], frozenset(names), file, tokens[0].line))

    def _alter(self, table: str, action: Sequence[Token], file: str) -> str:
        """One action of an ALTER TABLE; the table's name after it."""
        named = [token for token in action if token.word not in IF]
        words = [token.word for token in named]
        if words[:1] == ["add"]:
            self._add(table, named[2 if words[1] == "column" else 1 :], file)
        elif words[:2] == ["drop", "constraint"]:
            self.keys = [key for key in self.keys if (key.table, key.name) != (table, named[2].name)]
        elif words[:1] == ["drop"]:
            column = named[2 if words[1] == "column" else 1].name
            self.tables[table] = tuple(name for name in self.tables.get(table, ()) if name != column)
            self.keys = [key for key in self.keys if key.table != table or column not in key.columns]
        elif words[:2] == ["rename", "constraint"]:
            self._rename_key(named[2].name, named[4].name)
        elif words[:2] == ["rename", "to"]:
            return self._move(table, ".".join([*table.split(".")[:-1], named[2].name]))
        elif words[:2] == ["set", "schema"]:
            return self._move(table, f"{named[2].name}.{table.rpartition('.')[2]}")
        elif words[:1] == ["rename"]:
            old, new = named[-3].name, named[-1].name
            self.tables[table] = tuple(new if name == old else name for name in self.tables.get(table, ()))
            self.keys = [
                replace(key, first=new if key.first == old else key.first, columns=key.columns - {old} | {new})
                if key.table == table and old in key.columns
                else key
                for key in self.keys
            ]
        return table

    def _move(self, old: str, new: str) -> str:
        self.tables[new] = self.tables.pop(old, ())
        self.keys = [replace(key, table=new) if key.table == old else key for key in self.keys]
        return new

    def _rename_key(self, old: str, new: str) -> None:
        self.keys = [replace(key, name=new) if key.name == old else key for key in self.keys]
