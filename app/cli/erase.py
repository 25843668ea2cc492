"""``leads erase``: a person's right to be forgotten, and organizations that have left."""

import json
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app.cli import bi
from app.cli.addresses import Addresses, addresses, call, connect
from app.cli.output import Mistake, json_option, progress

_BATCH = 100


@click.command()
@click.option("--lead", type=click.UUID, metavar="ID", help="One lead, also one that was deleted.")
@click.option("--organization", type=click.UUID, metavar="ID", help="All of an organization; with --email, a person's.")
@click.option("--email", metavar="ADDRESS", help="All leads of the organization that have the address, or had it once.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def erase(lead: UUID | None, organization: UUID | None, email: str | None, yes: bool, as_json: bool) -> None:
    """Erase a lead, a person, or an organization that has left. It can't be undone.

    Rows go. In the audit log the person's values become {"erased": true}, an event tells of it, and the log still
    verifies. Kept answers of Idempotency-Keys are emptied. What a CRM has is listed: erase it there yourself. Backups
    and the write-ahead log keep values until they expire.
    """
    if email is not None and (organization is None or lead is not None):
        raise Mistake("--email needs --organization ID, and no --lead.")
    if lead is None and organization is None:
        raise Mistake("Erase what? Say --lead ID, --organization ID, or --organization ID --email ADDRESS.")
    with addresses() as found, connect(found.of_operator(), autocommit=True) as connection:
        if lead is None and email is None and organization is not None:
            _erase_organization(found, connection, organization, yes, as_json)
        else:
            _erase_leads(connection, organization, lead, email, yes, as_json)


def _erase_leads(
    connection: psycopg.Connection[DictRow],
    organization: UUID | None,
    lead: UUID | None,
    email: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    if organization is not None:
        call(connection, "admin.organization", organization)  # says so where there is none
    leads = call(connection, "admin.leads_to_erase", organization, lead, email)
    if not leads:
        raise Mistake("There is no such lead, and the audit log has no trace of one.")
    for row in leads:
        for line in _described(row):
            click.echo(line, err=as_json)
    _confirm(f"Erase {_counted(len(leads), 'lead')}", yes)

    done = []
    for row in leads:
        while True:
            gone = _patient(connection, "admin.erase_lead", row["organization_id"], row["lead_id"])
            if gone["wait_seconds"] == 0:
                break
            _wait(gone["wait_seconds"], f"A push of {row['lead_id']} is under way")
        del gone["wait_seconds"]
        done.append({"organization_id": row["organization_id"], "lead_id": row["lead_id"], **gone})
        if gone["copies"] != row["copies"]:
            # A push has ended meanwhile.
            for line in _outside(gone["copies"]):
                click.echo(line, err=as_json)
    if as_json:
        click.echo(json.dumps(done, default=str, indent=2))
        return
    for item in done:
        click.echo(
            f"{item['lead_id']} is erased: {_counted(item['rows_gone'], 'row')}, and the values in "
            f"{_counted(item['events'], 'event')}."
            if item["rows_gone"] or item["events"]
            else f"{item['lead_id']} was erased before: there was nothing left."
        )


def _erase_organization(
    found: Addresses, connection: psycopg.Connection[DictRow], organization: UUID, yes: bool, as_json: bool
) -> None:
    call(connection, "admin.known_organization", organization)  # says so where there is none
    known = next(row for row in call(connection, "admin.organizations") if row["id"] == organization)
    analysts = [row["login"] for row in call(connection, "admin.analysts", organization)]
    name = known["name"] or f"erased at {known['erased_at']}"
    click.echo(
        f"{organization} ({name}): all its leads, keys, stages, models, analysts and its CRM connection.", err=as_json
    )
    _confirm(f"Erase the organization {name}", yes)
    if analysts and found.migrate is not None:
        with connect(found.of_migrate(), autocommit=True) as migrator:
            while analysts:
                bi.revoke_login(migrator, analysts.pop())

    leads, events, after = 0, 0, None
    with progress() as bar:
        task = bar.add_task("erasing", total=None)
        while True:
            part = _patient(connection, "admin.erase_organization", organization, after, _BATCH)
            after, leads, events = part["last_lead_id"], leads + part["leads"], events + part["events"]
            bar.update(task, description=f"{leads} leads, {events} events")
            if part["is_done"]:
                break
            if part["wait_seconds"]:
                _wait(part["wait_seconds"], "A push is under way")
    if as_json:
        counts = {"organization_id": organization, "leads": leads, "events": events, "logins_left": analysts}
        click.echo(json.dumps(counts, default=str, indent=2))
    else:
        click.echo(
            f"{organization} is erased: {_counted(leads, 'lead')}, and the values in {_counted(events, 'event')}."
            if leads or events or known["erased_at"] is None
            else f"{organization} was erased before: there was nothing left."
        )
    if analysts:
        click.echo(
            "Its analysts' logins see nothing any more, and are still there: set LEADS_MIGRATE_URL, and say "
            + "; ".join(f"leads bi revoke {login}" for login in analysts),
            err=True,
        )


def _patient(connection: psycopg.Connection[DictRow], function: str, *arguments: object) -> DictRow:
    """The function's row. A request that locks the same rows in another order is rare: then it is asked again."""
    for _ in range(5):
        with suppress(psycopg.errors.DeadlockDetected):
            return call(connection, function, *arguments)[0]
    return call(connection, function, *arguments)[0]


def _described(row: DictRow) -> list[str]:
    who = "deleted before" if row["is_deleted"] else " ".join(f"{row[key]}" for key in ("name", "email") if row[key])
    lines = [f"{row['lead_id']} ({who}), {_counted(row['events'], 'event')}"]
    return [*lines, *_outside(row["copies"])]


def _outside(copies: list[dict[str, Any]]) -> list[str]:
    """The records at the vendors, which nobody here can erase."""
    lines = []
    for copy in copies:
        where = f"  {copy['vendor']}, account {copy['account']}"
        if copy["external_id"] is not None:
            lines.append(f"{where}: has it as {copy['external_id']}; erase it there.")
        for sent in copy["may_have_made"]:
            whom = sent["email"] or sent["display_name"]
            lines.append(f"{where}: may have made a record for {whom} at {sent['sent_at']}; look there.")
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    try:
        is_meant = click.confirm(f"{question}? It can't be undone.", err=True)
    except click.Abort:
        click.echo("\nNothing is erased. Where nobody can answer, say --yes.", err=True)
        raise
    if not is_meant:
        click.echo("Nothing is erased.", err=True)
        raise click.Abort


def _wait(seconds: Any, why: str) -> None:
    click.echo(f"{why}: waiting for it.", err=True)
    time.sleep(min(float(seconds), 1.0) + 0.05)
