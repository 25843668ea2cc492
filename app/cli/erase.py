"""``leads erase``: erases a person's data, or an organization."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app.cli import bi
from app.cli.addresses import Addresses, addresses, call, connect
from app.cli.erase_archives import Archives, archives_of
from app.cli.output import Mistake, json_option, progress
from app.cli.retire import archives_option, identity_option

_BATCH = 100


@click.command()
@click.option("--lead", type=click.UUID, metavar="ID", help="Erase this lead, even if it was deleted before.")
@click.option(
    "--organization",
    type=click.UUID,
    metavar="ID",
    help="Erase this organization; with --email or --phone, a person in it.",
)
@click.option("--email", metavar="ADDRESS", help="Erase the leads that have or had this e-mail address.")
@click.option("--phone", metavar="NUMBER", help="Erase the leads that have or had this phone number, in any spelling.")
@archives_option("Erase also in this archive of leads audit retire. It can be repeated.")
@identity_option
@click.option(
    "--recipient",
    "keys",
    multiple=True,
    metavar="KEY",
    help="A public key (age1…), or a file with public keys, for which the archives are encrypted again.",
)
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
@json_option
def erase(
    lead: UUID | None,
    organization: UUID | None,
    email: str | None,
    phone: str | None,
    paths: tuple[Path, ...],
    identity: Path | None,
    keys: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Erase a lead, a person, or an organization. This can't be undone.

    The command deletes the rows, replaces the person's values in the audit log by {"erased": true},
    and records the erasure there; the log stays verifiable. It also empties the stored answers of
    Idempotency-Keys. It prints the records at the CRM and the webhooks that received values: you
    must erase them there. Backups and the write-ahead log keep the values until they expire.
    Archives of retired years keep them, too: the command names those that you don't give with
    --archive. You can run it again for them.
    """
    archives = archives_of(paths, identity, keys)
    is_person = email is not None or phone is not None
    if is_person and (organization is None or lead is not None):
        raise Mistake("--email and --phone need --organization ID, and exclude --lead.")
    if email is not None and phone is not None:
        raise Mistake("Give either --email or --phone. Each finds the leads of a person.")
    if lead is None and organization is None:
        raise Mistake(
            "Nothing to erase. Use --lead ID, --organization ID, or --organization ID with --email ADDRESS or "
            "--phone NUMBER."
        )
    with addresses() as urls, connect(urls.of_operator(), autocommit=True) as connection:
        if lead is None and not is_person and organization is not None:
            _erase_organization(urls, connection, archives, organization, yes, as_json)
        else:
            _erase_leads(connection, archives, organization, lead, email, phone, yes, as_json)


def _erase_leads(
    connection: psycopg.Connection[DictRow],
    archives: Archives,
    organization: UUID | None,
    lead: UUID | None,
    email: str | None,
    phone: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    if organization is not None:
        call(connection, "admin.organization", organization)  # raises PT404
    leads = call(connection, "admin.leads_to_erase", organization, lead, email, phone)
    known = {row["lead_id"] for row in leads}
    archived = archives.leads(connection, organization, lead, email, phone)
    leads += [row for row in archived if row["lead_id"] not in known]
    if not leads and lead is None:
        _erase_submissions(connection, archives, organization, email, phone, yes, as_json)
        return
    if not leads:
        raise Mistake(
            "There is no such lead, neither in the database nor in the audit log. "
            f"{archives.not_searched(connection, lead)}".strip()
        )
    for row in leads:
        for line in _described(row):
            click.echo(line, err=as_json)
    _confirm(f"Erase {_counted(len(leads), 'lead')}", yes)

    done = []
    if lead is None:
        call(connection, "admin.erase_submissions", organization, email, phone)
    for row in leads:
        while True:
            gone = _patient(connection, "admin.erase_lead", row["organization_id"], row["lead_id"])
            if gone["wait_seconds"] == 0:
                break
            _wait(gone["wait_seconds"], f"A push of {row['lead_id']} is in progress")
        del gone["wait_seconds"]
        done.append({"organization_id": row["organization_id"], "lead_id": row["lead_id"], **gone})
        if (gone["copies"], gone["webhooks"]) != (row["copies"], row["webhooks"]):
            # A push ended, or values were sent, after the records were listed.
            for line in _outside(gone):
                click.echo(line, err=as_json)
    counts = archives.erase(connection, {(row["organization_id"], row["lead_id"]) for row in leads})
    for item in done:
        item["archived_events"] = counts.get(item["lead_id"], 0)
    if left := archives.not_searched(connection, *(row["lead_id"] for row in leads)):
        click.echo(left, err=True)
    if as_json:
        click.echo(json.dumps(done, default=str, indent=2))
        return
    for item in done:
        events = item["events"] + item["archived_events"]
        click.echo(
            f"{item['lead_id']} was erased: {_counted(item['rows_gone'], 'row')}, and the values in "
            f"{_counted(events, 'event')}."
            if item["rows_gone"] or events
            else f"{item['lead_id']} was erased before. Nothing was left to erase."
        )


def _erase_submissions(
    connection: psycopg.Connection[DictRow],
    archives: Archives,
    organization: UUID | None,
    email: str | None,
    phone: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Erases what forms have kept of a person who has no lead."""
    # In a transaction, so that nothing is deleted before the answer to the question.
    with connection.transaction():
        count = call(connection, "admin.erase_submissions", organization, email, phone)[0]["erase_submissions"]
        if not count:
            raise Mistake(
                "There is no such lead, neither in the database nor in the audit log, and no form has stored "
                "a submission. "
                f"{archives.not_searched(connection)}".strip()
            )
        _confirm(f"There is no such lead. Erase {_counted(count, 'submission')} of forms", yes)
    if as_json:
        click.echo(json.dumps([{"organization_id": str(organization), "submissions": count}], indent=2))
    else:
        click.echo(f"{_counted(count, 'submission')} of forms {'was' if count == 1 else 'were'} erased.")


def _erase_organization(
    urls: Addresses,
    connection: psycopg.Connection[DictRow],
    archives: Archives,
    organization: UUID,
    yes: bool,
    as_json: bool,
) -> None:
    call(connection, "admin.known_organization", organization)  # raises PT404
    known = next(row for row in call(connection, "admin.organizations") if row["id"] == organization)
    analysts = [row["login"] for row in call(connection, "admin.analysts", organization)]
    name = known["name"] or f"erased at {known['erased_at']}"
    click.echo(
        f"{organization} ({name}): all its leads, keys, stages, models, analysts and its CRM connection.", err=as_json
    )
    _confirm(f"Erase the organization {name}", yes)
    if analysts and urls.migrate is not None:
        with connect(urls.of_migrate(), autocommit=True) as migrator:
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
                _wait(part["wait_seconds"], "A push is in progress")
    events += sum(archives.erase(connection, {(organization, None)}).values())
    if left := archives.not_searched(connection):
        click.echo(left, err=True)
    if as_json:
        counts = {"organization_id": organization, "leads": leads, "events": events, "logins_left": analysts}
        click.echo(json.dumps(counts, default=str, indent=2))
    else:
        click.echo(
            f"{organization} was erased: {_counted(leads, 'lead')}, and the values in {_counted(events, 'event')}."
            if leads or events or known["erased_at"] is None
            else f"{organization} was erased before. Nothing was left to erase."
        )
    if analysts:
        click.echo(
            "The logins of its analysts still exist, but their queries return no rows. To drop them, set "
            "LEADS_MIGRATE_URL and run: " + "; ".join(f"leads bi revoke {login}" for login in analysts),
            err=True,
        )


def _patient(connection: psycopg.Connection[DictRow], function: str, *arguments: object) -> DictRow:
    """The function's row. After a deadlock with a request, which is rare,
    the function is called again.
    """
    for _ in range(5):
        with suppress(psycopg.errors.DeadlockDetected):
            return call(connection, function, *arguments)[0]
    return call(connection, function, *arguments)[0]


def _described(row: DictRow) -> list[str]:
    description = (
        "deleted before" if row["is_deleted"] else " ".join(f"{row[key]}" for key in ("name", "email") if row[key])
    )
    lines = [f"{row['lead_id']} ({description}), {_counted(row['events'], 'event')}"]
    return [*lines, *_outside(row)]


def _outside(row: dict[str, Any]) -> list[str]:
    """The records at the vendors, and what webhooks received, which this command can't erase."""
    lines = [
        f"  {webhook['host']}, webhook {webhook['id']}: received values at {webhook['last_at']}. Erase them there."
        for webhook in row["webhooks"]
    ]
    for copy in row["copies"]:
        where = f"  {copy['vendor']}, account {copy['account']}"
        if copy["external_id"] is not None:
            lines.append(f"{where}: the record {copy['external_id']}. Erase it there.")
        for sent in copy["may_have_made"]:
            recipient = sent["email"] or sent["display_name"]
            lines.append(f"{where}: perhaps a record for {recipient}, sent at {sent['sent_at']}. Check there.")
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    try:
        is_meant = click.confirm(f"{question}? This can't be undone.", err=True)
    except click.Abort:
        click.echo("\nNothing was erased. Use --yes to erase without a confirmation.", err=True)
        raise
    if not is_meant:
        click.echo("Nothing was erased.", err=True)
        raise click.Abort


def _wait(seconds: Any, reason: str) -> None:
    click.echo(f"{reason}. Waiting until it ends.", err=True)
    time.sleep(min(float(seconds), 1.0) + 0.05)
