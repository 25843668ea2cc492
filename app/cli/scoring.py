"""``leads scoring``: an organization's scoring models, as TOML files."""

import difflib
import os
from datetime import datetime
from pathlib import Path
from typing import TextIO
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app.cli import instants
from app.cli.addresses import call, operator
from app.cli.backtest import Result, picture, report
from app.cli.model_file import by_line, read, toml
from app.cli.output import Group, Mistake, json_option, one, progress, rows

_CHUNK = 1000
"""The number of leads that one statement scores, so that a backtest can show its progress."""


def _instant(_: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    instant = instants.read(value)
    if instant is None:
        raise click.BadParameter(
            "This must be a date such as 2026-04-27 (midnight UTC), or a date and time with Z or an offset such as "
            "2026-04-27T13:22:05Z.",
            param=param,
        )
    return instant


_organization = click.option("--organization", type=click.UUID, required=True, metavar="ID", help="The organization.")
# utf-8-sig skips a byte order mark.
_file = click.File("r", encoding="utf-8-sig")
_version = click.IntRange(1, 2**31 - 1)


@click.group(cls=Group)
def scoring() -> None:
    """Show, edit, compare, try and activate scoring models.

    A model is a TOML file with base, rescore_on_signal, [groups.NAME] with a cap, and [[rules]].
    Edits change the draft. A version that has been active never changes again.
    """


@scoring.command()
@_organization
@click.option("--version", type=_version, help="Print this version of the organization's models.")
@click.option("--draft", is_flag=True, help="Print the draft.")
@click.option("--default", "default", is_flag=True, help="Print the model that an organization without its own uses.")
@json_option
def show(organization: UUID, version: int | None, draft: bool, default: bool, as_json: bool) -> None:
    """Print the active model, or another one, as TOML. With --json, print all versions."""
    if (version is not None) + draft + default > 1:
        raise Mistake("Use only one of --version, --draft and --default.")
    with operator() as connection:
        models = call(connection, "admin.scoring_models", organization)
    if as_json:
        rows(models, (), as_json)
        return
    if default:
        matches = [model for model in models if model["model"] == "default"]
    elif version is not None:
        matches = [model for model in models if model["model"] == "own" and model["version"] == version]
    else:
        matches = [model for model in models if model["state"] == ("draft" if draft else "active")]
    if not matches:
        raise Mistake("The organization has no such scoring model. To list all of them: leads scoring show --json")
    click.echo(f"# {_title(matches[0])}\n{toml(matches[0]['document'])}", nl=False)


@scoring.command()
@click.argument("file", type=_file)
@_organization
@json_option
def edit(file: TextIO, organization: UUID, as_json: bool) -> None:
    """Save FILE as the organization's draft. - reads standard input."""
    document, text = read(file)
    with operator() as connection, by_line(file.name, text):
        version = call(connection, "admin.edit_scoring_model", organization, document)[0]["edit_scoring_model"]
    one(
        {"version": version},
        f"Version {version} is the draft. To compare it: leads scoring diff. To activate it: leads scoring activate",
        as_json,
    )


@scoring.command()
@_organization
def diff(organization: UUID) -> None:
    """Compare the draft with the active model."""
    with operator() as connection:
        models = {model["state"]: model for model in call(connection, "admin.scoring_models", organization)}
    if "draft" not in models:
        raise Mistake("There is no draft. To create one: leads scoring edit FILE")
    before, after = (models[state] for state in ("active", "draft"))
    lines = difflib.unified_diff(
        toml(before["document"]).splitlines(),
        toml(after["document"]).splitlines(),
        _title(before),
        _title(after),
        lineterm="",
    )
    click.echo("\n".join(lines) or "The draft and the active model are equal.")


@scoring.command()
@_organization
@click.option("--version", type=_version, help="Activate this version instead of the draft, such as a retired one.")
@json_option
def activate(organization: UUID, version: int | None, as_json: bool) -> None:
    """Activate the draft: it scores leads from now on."""
    with operator() as connection:
        result = call(connection, "admin.activate_scoring_model", organization, version)
    number = result[0]["activate_scoring_model"]
    one({"version": number}, f"Version {number} is active.", as_json)


@scoring.command("try")
@click.argument("lead", type=click.UUID)
@_organization
@click.option("--model", "file", type=_file, help="The TOML file to use. [default: the active model]")
@click.option(
    "--as-of", callback=_instant, metavar="TIME", help="Use only signals that were observed until then. [default: now]"
)
@json_option
def try_(lead: UUID, organization: UUID, file: TextIO | None, as_of: datetime | None, as_json: bool) -> None:
    """Print the score of LEAD. The score is not saved; the audit log records that the lead was read."""
    document, text = read(file) if file else (None, "")
    with operator() as connection, by_line(file.name if file else "", text):
        score = call(connection, "admin.try_scoring_model", organization, lead, as_of, document)[0]
    if as_json:
        rows([score | {"base": float(score["base"])}], (), as_json)
        return
    click.echo(f"{score['lead_score']}  {score['ai_reasoning']}")


@scoring.command()
@click.option("--model", "file", type=_file, required=True, help="The TOML file to test.")
@_organization
@click.option(
    "--picture",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("calibration.svg"),
    show_default=True,
    help="The SVG file for the calibration curve.",
)
@json_option
def backtest(file: TextIO, organization: UUID, path: Path, as_json: bool) -> None:
    """Compare FILE with the active model, on all leads that are won or lost. No score is saved.

    Each lead is scored as of its qualification: with the signals that were observed until then, and
    with its fields as they are now. The command prints the share of won leads for each band of
    scores, the AUC, and how scores change. The audit log records that the leads were read.
    """
    document, text = read(file)
    _check_picture(path, file)
    with operator() as connection, by_line(file.name, text):
        # One snapshot, so that a model that is activated during the backtest isn't used for some of
        # the leads.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        known = call(connection, "admin.backtest_leads", organization)
        ids = [lead["lead_id"] for lead in known if lead["is_qualified"]]
        result = Result(unqualified=len(known) - len(ids))
        with progress() as bar:
            for start in bar.track(range(0, len(ids), _CHUNK), description="Scoring"):
                chunk = ids[start : start + _CHUNK]
                result.add(call(connection, "admin.backtest_scoring_model", organization, document, chunk))
    if not result.rows:
        raise Mistake("No lead of the organization was qualified and then won or lost, so there is nothing to compare.")
    try:
        path.write_text(picture(result), encoding="utf-8")
    except OSError as error:
        raise Mistake(f"The picture can't be written to {path}: {error.strerror}. Use --picture FILE.") from None
    report(result, path, as_json)


def _title(model: DictRow) -> str:
    since = f" since {model['activated_at']}" if model["state"] == "active" and model["activated_at"] else ""
    return f"{model['model']} version {model['version']}, {model['state']}{since}"


def _check_picture(path: Path, model: TextIO) -> None:
    """Raises Mistake if the picture can't be written, before leads are scored."""
    if path.exists() and os.path.samestat(path.stat(), os.fstat(model.fileno())):
        raise Mistake(f"{path} is the model's file. Use --picture FILE with another file.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Mistake(f"The picture can't be written to {path}. Use --picture FILE.")
