"""``leads forms``: addresses to which anything can send leads, and what they have kept."""

import json
from collections.abc import Callable
from typing import Any, TextIO
from uuid import UUID

import click
from psycopg.rows import DictRow

from app.cli.addresses import call, call_with_settings, operator, wait_for_announcement
from app.cli.output import Group, Mistake, json_option, one, progress, rows

_BATCH = 100
_LISTED = 1000
_ON_DUPLICATE = ("create", "skip", "fill")


def _settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options for the settings that can be changed later."""
    options = (
        click.option("--name", help="A name that says what the form is for."),
        click.option("--preset", metavar="NAME", help="The service that sends: leads forms presets lists them."),
        click.option("--source", metavar="NAME", help="The source of the leads, such as website."),
        click.option(
            "--mapping",
            type=click.File(encoding="utf-8-sig"),
            metavar="FILE",
            help='A JSON object: from the path or the question of a value to its place: {"roof": "details.roof_age"}.',
        ),
        click.option(
            "--set",
            "constants",
            multiple=True,
            metavar="NAME=VALUE",
            help="A value that each lead has. Repeat the option for each value.",
        ),
        click.option(
            "--origin",
            "origins",
            multiple=True,
            metavar="URL",
            help="An origin whose pages may send. Repeat the option for each origin. [default: any]",
        ),
        click.option("--honeypot", metavar="FIELD", help="A field that people don't see. A value in it is spam."),
        click.option("--redirect", metavar="URL", help="Where a browser goes after it has sent the form."),
        click.option(
            "--on-duplicate",
            type=click.Choice(_ON_DUPLICATE),
            help="What to do with a lead that has the e-mail address or the phone number of another: create another, "
            "skip it, or fill in the empty fields of the first. [default: create]",
        ),
        click.option("--duplicate-hours", type=click.IntRange(1, 8760), help="How old that lead may be. [default: 24]"),
        click.option(
            "--requests-per-minute",
            type=click.IntRange(1, 6000),
            help="The limit of each client address. [default: 60]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=Group)
def forms() -> None:
    """Create, list, change and revoke forms, and process stored submissions again.

    A form is an address, with a token in it, to which web pages and other services post leads.
    """


@forms.command()
@click.option("--organization", required=True, type=click.UUID, metavar="ID", help="The organization of the leads.")
@_settings
@click.option(
    "--secret-file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="A file with the secret of the sender's signature; - reads standard input.",
)
@json_option
def create(organization: UUID, secret_file: TextIO | None, as_json: bool, **options: Any) -> None:
    """Create a form, and print its address. The address can't be shown again."""
    settings = _chosen(options)
    if secret_file is not None:
        settings["secret"] = secret_file.read().strip()
    with operator() as connection:
        form = call_with_settings(connection, "admin.create_form", organization, json.dumps(settings))[0]
        wait_for_announcement(connection, organization)
    one(form, form["address"], as_json)


@forms.command("list")
@click.option("--organization", type=click.UUID, metavar="ID", help="List only this organization's forms.")
@json_option
def list_(organization: UUID | None, as_json: bool) -> None:
    """List the forms, oldest first. Their addresses aren't stored and can't be shown."""
    with operator() as connection:
        if organization is not None:
            call(connection, "admin.organization", organization)
        forms = call(connection, "admin.forms", organization)
    rows(forms, ("id", "organization_id", "name", "preset", "source", "on_duplicate", "state", "created_at"), as_json)


@forms.command()
@json_option
def presets(as_json: bool) -> None:
    """List the services whose submissions are known."""
    with operator() as connection:
        presets = call(connection, "admin.form_presets")
    rows(presets, ("name", "title", "signature"), as_json)


@forms.command("set")
@click.argument("id", type=click.UUID)
@_settings
@json_option
def set_(id: UUID, as_json: bool, **options: Any) -> None:
    """Change settings of the form ID. An empty text removes a setting; a list is replaced."""
    settings = {name: None if value == "" else value for name, value in _chosen(options).items()}
    if not settings:
        raise Mistake("Nothing to change. Name a setting: leads forms set --help")
    if settings.get("source", "") is None:
        raise Mistake("A form needs a source. Give it a name, such as website.")
    with operator() as connection:
        form = call_with_settings(connection, "admin.set_form", id, json.dumps(settings))[0]
    one(form, f"The form {id} is changed.", as_json)


@forms.command()
@click.argument("id", type=click.UUID)
@json_option
def revoke(id: UUID, as_json: bool) -> None:
    """Revoke the address of the form ID, effective immediately. Stored submissions stay."""
    with operator() as connection:
        call(connection, "admin.revoke_form", id)
    one({"id": id, "state": "revoked"}, f"The form {id} is revoked.", as_json)


@forms.command()
@click.option("--organization", required=True, type=click.UUID, metavar="ID", help="The organization.")
@click.option("--form", type=click.UUID, metavar="ID", help="List only this form's.")
@json_option
def submissions(organization: UUID, form: UUID | None, as_json: bool) -> None:
    """List the submissions of the last 30 days that could not become a complete lead, the newest first.

    With --json, also what was sent. The read is recorded in the audit log.
    """
    with operator() as connection:
        kept = call(connection, "admin.form_submissions", organization, form, _LISTED)
    if as_json:
        rows(kept, (), as_json)
        return
    _name_faults(kept)
    rows(kept, ("id", "submitted_to", "outcome", "lead_id", "created_at", "faults"), as_json)
    if len(kept) == _LISTED:
        click.echo(f"These are the newest {_LISTED}. Name a form to see others: --form ID", err=True)


@forms.command()
@click.argument("id", type=click.UUID)
@click.option(
    "--submission",
    type=click.UUID,
    metavar="ID",
    help="Send only this submission, even if it has a wrong signature or origin, or a value in the honeypot.",
)
@json_option
def replay(id: UUID, submission: UUID | None, as_json: bool) -> None:
    """Try again to create leads from the submissions that the form ID has stored, for example after a new mapping."""
    results: list[DictRow] = []
    with operator() as connection, progress() as bar:
        task = bar.add_task("sending again", total=None)
        after = None
        while True:
            part = call(connection, "admin.replay_submissions", id, submission, after, _BATCH)
            connection.commit()
            results += part
            bar.update(task, description=f"{len(results)} submissions")
            if len(part) < _BATCH:
                break
            after = part[-1]["id"]
    if as_json:
        rows(results, (), as_json)
        return
    _name_faults(results)
    rows(results, ("id", "outcome", "lead_id", "faults"), as_json)


def _name_faults(submissions: list[DictRow]) -> None:
    """Replaces the faults by their fields and codes, for a table."""
    for submission in submissions:
        names = (f"{fault['field']}: {fault['code']}" for fault in submission["faults"] or ())
        submission["faults"] = "; ".join(names)


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The settings of the options that were given."""
    settings: dict[str, Any] = {name: value for name, value in options.items() if value not in (None, ())}
    if "redirect" in settings:
        settings["redirect_url"] = settings.pop("redirect")
    if "origins" in settings:
        settings["origins"] = [origin for origin in settings["origins"] if origin]
    if "mapping" in settings:
        try:
            settings["mapping"] = json.load(settings["mapping"], parse_constant=_refuse)
        except ValueError as error:
            raise Mistake(f"The mapping is not valid JSON: {error}.") from None
        if "\\u0000" in json.dumps(settings["mapping"]):
            raise Mistake("The mapping has a NUL character. Remove it.")
    if "constants" in settings:
        settings["constants"] = dict(_pair(text) for text in settings["constants"])
    return settings


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Mistake(f"{text!r} is not NAME=VALUE.")
    return name, value
