"""``leads scoring``: an organization's scoring models, as TOML files that people read and edit."""

import difflib
import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID, uuid4

import click
import psycopg
import tomli_w
from psycopg.rows import DictRow
from rich.console import Console
from rich.progress import Progress

from app import values
from app.cli.addresses import call, operator
from app.cli.backtest import Result, picture, report
from app.cli.output import Mistake, json_option, one, rows

_RULE_KEYS = ("name", "signal", "field", "key", "operator", "value", "label", "weight", "half_life_hours", "group")
_CHUNK = 1000
"""Leads of one statement, so that a backtest shows how far it is."""


def _instant(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else values.instant(value)
    except values.Fault as fault:
        raise click.BadParameter(fault.detail, param=param) from None


_organization = click.option("--organization", type=click.UUID, required=True, help="The organization's id.")
# A byte order mark is no part of the file.
_file = click.File("r", encoding="utf-8-sig")
_version = click.IntRange(1, 2**31 - 1)


@click.group()
def scoring() -> None:
    """Show, edit, compare, try and activate scoring models.

    A model is a TOML file: base, rescore_on_signal, [groups.NAME] with a cap, and [[rules]]. A version never changes
    once it has been active.
    """


@scoring.command()
@_organization
@click.option("--version", type=_version, help="That version of the organization's own.")
@click.option("--draft", is_flag=True, help="The draft.")
@click.option("--default", "default", is_flag=True, help="The model of organizations that have none of their own.")
@json_option
def show(organization: UUID, version: int | None, draft: bool, default: bool, as_json: bool) -> None:
    """Print the model in force, or another, as TOML; with --json, all versions."""
    if (version is not None) + draft + default > 1:
        raise Mistake("Say one of --version, --draft and --default.")
    with operator() as connection:
        models = call(connection, "admin.scoring_models", organization)
    if as_json:
        rows(models, (), as_json)
        return
    if default:
        found = [model for model in models if model["model"] == "default"]
    elif version is not None:
        found = [model for model in models if model["model"] == "own" and model["version"] == version]
    else:
        found = [model for model in models if model["state"] == ("draft" if draft else "active")]
    if not found:
        raise Mistake("The organization has no such scoring model. See all with: leads scoring show --json")
    click.echo(f"# {_title(found[0])}\n{_toml(found[0]['document'])}", nl=False)


@scoring.command()
@click.argument("file", type=_file)
@_organization
@json_option
def edit(file: TextIO, organization: UUID, as_json: bool) -> None:
    """Make FILE (- for standard input) the organization's draft."""
    document, text = _read(file)
    with operator() as connection, _by_line(file.name, text):
        version = call(connection, "admin.edit_scoring_model", organization, document)[0]["edit_scoring_model"]
    one(
        {"version": version},
        f"Version {version} is the draft: leads scoring diff compares it, and leads scoring activate takes it.",
        as_json,
    )


@scoring.command()
@_organization
def diff(organization: UUID) -> None:
    """Compare the draft with the model in force."""
    with operator() as connection:
        models = {model["state"]: model for model in call(connection, "admin.scoring_models", organization)}
    if "draft" not in models:
        raise Mistake("There is no draft. Begin one with: leads scoring edit FILE")
    before, after = (models[state] for state in ("active", "draft"))
    lines = difflib.unified_diff(
        _toml(before["document"]).splitlines(),
        _toml(after["document"]).splitlines(),
        _title(before),
        _title(after),
        lineterm="",
    )
    click.echo("\n".join(lines) or "The draft says what the model in force says.")


@scoring.command()
@_organization
@click.option("--version", type=_version, help="Take that version instead of the draft; a retired one may come back.")
@json_option
def activate(organization: UUID, version: int | None, as_json: bool) -> None:
    """Have the draft score from now on."""
    with operator() as connection:
        found = call(connection, "admin.activate_scoring_model", organization, version)
    number = found[0]["activate_scoring_model"]
    one({"version": number}, f"Version {number} is active.", as_json)


@scoring.command("try")
@click.argument("lead", type=click.UUID)
@_organization
@click.option("--model", "file", type=_file, help="A TOML file; else the model in force.")
@click.option(
    "--as-of", callback=_instant, metavar="TIME", help="Only what was observed until then counts; else now, and all."
)
@json_option
def try_(lead: UUID, organization: UUID, file: TextIO | None, as_of: str | None, as_json: bool) -> None:
    """Score LEAD, and keep nothing."""
    document, text = _read(file) if file else (None, "")
    with operator() as connection, _by_line(file.name if file else "", text):
        found = call(connection, "admin.try_scoring_model", organization, lead, as_of, document)[0]
    if as_json:
        rows([found | {"base": float(found["base"])}], (), as_json)
        return
    click.echo(f"{found['lead_score']}  {found['ai_reasoning']}")


@scoring.command()
@click.option("--model", "file", type=_file, required=True, help="The TOML file to judge.")
@_organization
@click.option(
    "--picture",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("calibration.svg"),
    show_default=True,
    help="Where the picture of the calibration curve goes.",
)
@json_option
def backtest(file: TextIO, organization: UUID, path: Path, as_json: bool) -> None:
    """Score all leads that are won or lost as of their qualification, by FILE and by the model in force.

    Prints the share that was won by score band, the AUC, and what changes; nothing is kept. Only signals that had been
    observed when a lead was qualified count; its own fields count as they are now.
    """
    document, text = _read(file)
    _check_picture(path, file)
    with operator() as connection, _by_line(file.name, text):
        # One snapshot: a model that is activated meanwhile doesn't count for a part of the leads.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        known = call(connection, "admin.backtest_leads", organization)
        ids = [lead["lead_id"] for lead in known if lead["is_qualified"]]
        result = Result(unqualified=len(known) - len(ids))
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            for start in progress.track(range(0, len(ids), _CHUNK), description="Scoring"):
                chunk = ids[start : start + _CHUNK]
                result.add(call(connection, "admin.backtest_scoring_model", organization, document, chunk))
    if not result.rows:
        raise Mistake(
            "No lead of the organization is won or lost and was qualified before: there is nothing to judge by."
        )
    try:
        path.write_text(picture(result), encoding="utf-8")
    except OSError as error:
        raise Mistake(f"The picture can't be written to {path}: {error.strerror}. Say --picture FILE.") from None
    report(result, path, as_json)


def _title(model: DictRow) -> str:
    since = f" since {model['activated_at']}" if model["state"] == "active" and model["activated_at"] else ""
    return f"{model['model']} version {model['version']}, {model['state']}{since}"


def _check_picture(path: Path, model: TextIO) -> None:
    """Raises Mistake where the picture can't be written, before anything is scored."""
    if path.exists() and os.path.samestat(path.stat(), os.fstat(model.fileno())):
        raise Mistake(f"{path} is the model's file. Say --picture FILE with another.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Mistake(f"The picture can't be written to {path}. Say --picture FILE.")


def _read(file: TextIO) -> tuple[str, str]:
    """The model as JSON, and the file's text. Raises Mistake."""
    try:
        text = file.read()
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line, what = (place[1], place[0]) if place else (text.count("\n") + 1, "")
        raise Mistake(f"{file.name}:{line}: This is no TOML: {str(error).removesuffix(what)}.") from None
    except UnicodeDecodeError:
        raise Mistake(f"{file.name}: This is not UTF-8.") from None
    except RecursionError:
        raise Mistake(f"{file.name}: This is nested too deep for a scoring model.") from None
    except OSError as error:
        raise Mistake(f"{file.name} can't be read: {error.strerror}.") from None
    except ValueError:
        raise Mistake(f"{file.name}: It has a number of thousands of digits. Make it shorter.") from None
    # JSON has all digits of a number, which a float hasn't.
    mark = uuid4().hex
    problem = f"{file.name}: A date or time is no value of a scoring model. Write it as a text."

    def number(value: object) -> dict[str, str]:
        nonlocal problem
        if isinstance(value, Decimal) and value.is_finite():
            return {mark: str(value)}
        if isinstance(value, Decimal):
            problem = f"{file.name}: inf and nan are no numbers of a scoring model."
        raise TypeError

    try:
        made = re.sub(rf'\{{"{mark}": "([^"]*)"\}}', r"\1", json.dumps(document, default=number))
    except TypeError:
        raise Mistake(problem) from None
    if re.search(r"(?<!\\)(?:\\\\)*\\u0000", made):
        raise Mistake(f"{file.name}: It has a NUL character. Leave it out.")
    return made, text


def _toml(document: dict[str, Any]) -> str:
    """The model as TOML, each rule a table of its own, so that a change of one leaves the others' lines."""
    head: dict[str, Any] = {key: document[key] for key in ("base", "rescore_on_signal") if key in document}
    if not document["rules"]:
        head["rules"] = []
    groups = {"groups": document["groups"]} if document.get("groups") else {}
    rules = ({key: rule[key] for key in _RULE_KEYS if key in rule} for rule in document["rules"])
    parts = [tomli_w.dumps(head), tomli_w.dumps(groups), *(f"[[rules]]\n{tomli_w.dumps(rule)}" for rule in rules)]
    return "\n".join(filter(None, parts))


@contextmanager
def _by_line(name: str, text: str) -> Iterator[None]:
    """Turns the faults of a model into sentences with the file's lines."""
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
                # What contains it: rules[0].weight, rules[0], rules.
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
    """Where each table and key begins: ("rules[0].weight", 12). As far as the beginning of a line shows it."""
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
        # A text of several lines may look like anything.
        while line:
            if quotes:
                _, ended, line = line.partition(quotes)
                quotes = "" if ended else quotes
            elif (token := _TOKEN.search(line)) and not token[0].startswith("#"):
                line = line[token.end() :]
                quotes = token[0] if token[0] in ('"""', "'''") else ""
            else:
                break
