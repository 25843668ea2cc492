"""``leads scoring``: an organization's scoring models, as TOML files that people read and edit."""

import difflib
import os
from pathlib import Path
from typing import TextIO
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app.cli.addresses import call, operator
from app.cli.backtest import Result, picture, report
from app.cli.model_file import by_line, read, toml
from app.cli.output import Mistake, json_option, one, progress, rows
from app.server import values

_CHUNK = 1000
"""Leads of one statement, so that a backtest shows how far it is."""


def _instant(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    instant = values.instant(value, "")
    if isinstance(instant, str):
        return instant
    raise click.BadParameter(instant.detail, param=param)


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
    click.echo(f"# {_title(found[0])}\n{toml(found[0]['document'])}", nl=False)


@scoring.command()
@click.argument("file", type=_file)
@_organization
@json_option
def edit(file: TextIO, organization: UUID, as_json: bool) -> None:
    """Make FILE (- for standard input) the organization's draft."""
    document, text = read(file)
    with operator() as connection, by_line(file.name, text):
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
        toml(before["document"]).splitlines(),
        toml(after["document"]).splitlines(),
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
    document, text = read(file) if file else (None, "")
    with operator() as connection, by_line(file.name if file else "", text):
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
    document, text = read(file)
    _check_picture(path, file)
    with operator() as connection, by_line(file.name, text):
        # One snapshot: a model that is activated meanwhile doesn't count for a part of the leads.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        known = call(connection, "admin.backtest_leads", organization)
        ids = [lead["lead_id"] for lead in known if lead["is_qualified"]]
        result = Result(unqualified=len(known) - len(ids))
        with progress() as bar:
            for start in bar.track(range(0, len(ids), _CHUNK), description="Scoring"):
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
