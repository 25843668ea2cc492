"""Scoring models as TOML files: reading, writing, and errors with line numbers."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TextIO
from uuid import uuid4

import psycopg
import tomli_w

from app.cli.output import Mistake

_RULE_KEYS = ("name", "signal", "field", "key", "operator", "value", "label", "weight", "half_life_hours", "group")


def read(file: TextIO) -> tuple[str, str]:
    """The model as JSON, and the file's text. Raises Mistake."""
    try:
        text = file.read()
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line, message = (place[1], place[0]) if place else (text.count("\n") + 1, "")
        raise Mistake(f"{file.name}:{line}: This is not valid TOML: {str(error).removesuffix(message)}.") from None
    except UnicodeDecodeError:
        raise Mistake(f"{file.name}: This is not UTF-8.") from None
    except RecursionError:
        raise Mistake(f"{file.name}: The nesting is too deep for a scoring model.") from None
    except OSError as error:
        raise Mistake(f"{file.name} can't be read: {error.strerror}.") from None
    except ValueError:
        raise Mistake(f"{file.name}: A number has thousands of digits. Make it shorter.") from None
    # The numbers are copied as text, because a float would lose digits.
    mark = uuid4().hex
    problem = f"{file.name}: A scoring model can't contain a date or time. Write it as a string."

    def number(value: object) -> dict[str, str]:
        nonlocal problem
        if isinstance(value, Decimal) and value.is_finite():
            return {mark: str(value)}
        if isinstance(value, Decimal):
            problem = f"{file.name}: A scoring model can't contain inf or nan."
        raise TypeError

    try:
        made = re.sub(rf'\{{"{mark}": "([^"]*)"\}}', r"\1", json.dumps(document, default=number))
    except TypeError:
        raise Mistake(problem) from None
    if re.search(r"(?<!\\)(?:\\\\)*\\u0000", made):
        raise Mistake(f"{file.name}: The file has a NUL character. Remove it.")
    return made, text


def toml(document: dict[str, Any]) -> str:
    """The model as TOML. Each rule is a table, so that a diff of two models shows only the
    changed rules.
    """
    head: dict[str, Any] = {key: document[key] for key in ("base", "rescore_on_signal") if key in document}
    if not document["rules"]:
        head["rules"] = []
    groups = {"groups": document["groups"]} if document.get("groups") else {}
    rules = ({key: rule[key] for key in _RULE_KEYS if key in rule} for rule in document["rules"])
    parts = [tomli_w.dumps(head), tomli_w.dumps(groups), *(f"[[rules]]\n{tomli_w.dumps(rule)}" for rule in rules)]
    return "\n".join(filter(None, parts))


@contextmanager
def by_line(name: str, text: str) -> Iterator[None]:
    """Turns the errors of a model into messages with the file's line numbers."""
    try:
        yield
    except psycopg.Error as error:
        if error.diag.message_primary != "invalid_model":
            raise
        places = dict(_places(text))
        sentences = []
        for fault in json.loads(error.diag.message_detail or "[]"):
            path = fault["field"]
            while path and path not in places:
                # Try the containing element: rules[0].weight, rules[0], rules.
                path = path.rpartition(".")[0] if "." in path else path.rpartition("[")[0]
            key = fault["field"].removeprefix(path).lstrip(".") or path.rpartition(".")[2]
            line = places.get(path, 1)
            sentences.append((line, f"{name}:{line}: {key}: {fault['detail']}"))
        raise Mistake("\n".join(sentence for _, sentence in sorted(sentences))) from None


_NAME = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_LINES = re.compile(rf"\s*(?:\[\[\s*(?P<list>{_DOTTED})\s*\]\]|\[\s*(?P<table>{_DOTTED})\s*\]|(?P<key>{_DOTTED})\s*=)")

_TOKEN = re.compile(r"""\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'[^']*'|#.*""")


def _places(text: str) -> Iterator[tuple[str, int]]:
    """The line where each table and key begins, such as ("rules[0].weight", 12).
    Keys inside a line are not found.
    """
    table, counts, quotes = "", Counter[str](), ""
    for number, line in enumerate(text.split("\n"), 1):
        if not quotes and (match := _LINES.match(line)):
            name = ".".join(part.strip("\"'") for part in re.findall(_NAME, match[match.lastgroup or 0]))
            if match.lastgroup == "key":
                yield ".".join(filter(None, (table, name))), number
            else:
                table = f"{name}[{counts[name]}]" if match.lastgroup == "list" else name
                counts[name] += match.lastgroup == "list"
                yield table, number
        # A line inside a multi-line string may look like a key.
        while line:
            if quotes:
                _, ended, line = line.partition(quotes)
                quotes = "" if ended else quotes
            elif (token := _TOKEN.search(line)) and not token[0].startswith("#"):
                line = line[token.end() :]
                quotes = token[0] if token[0] in ('"""', "'''") else ""
            else:
                break
