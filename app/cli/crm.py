"""``leads crm``: connections to CRMs, what waits for them, and what failed."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO
from uuid import UUID

import click
import httpx
from psycopg.rows import DictRow

from app import settings
from app.cli.addresses import addresses, call, connect, operator
from app.cli.output import Mistake, json_option, one, rows
from app.cli.reconcile import compare, report
from app.cli.worker import vault
from app.worker.calls import client
from app.worker.vault import VaultError
from app.worker.vendors import Account, CallFailed, Sent, Setting, Vendor, typed
from app.worker.vendors.known import VENDORS, Kind

_organization: Callable[..., Any] = click.option(
    "--organization", required=True, type=click.UUID, metavar="ID", help="Whose connection it is."
)
_any_organization: Callable[..., Any] = click.option(
    "--organization", type=click.UUID, metavar="ID", help="Only this organization's."
)


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 3600:
        raise ValueError("it must be a whole number of seconds from 0 to 3600")
    return int(text)


def _account(text: str) -> str:
    name = typed.text(text)
    if len(name) > 255:
        raise ValueError("it must have 255 characters at the most")
    return name


# What every connection has.
_COMMON = {
    "push_stage": Setting("A lead that enters this stage is pushed by itself (qualified).", False, typed.text),
    "settle_seconds": Setting("Seconds until the vendor's look-up shows what it has made.", False, _seconds),
    "account": Setting("A name for the vendor's account, where the vendor doesn't tell one.", False, _account),
}


@click.group()
def crm() -> None:
    """Connect organizations to their CRM, and look after the pushes."""


@crm.command("connect")
@click.argument("vendor", type=click.Choice(list(VENDORS)))
@_organization
@click.option(
    "--api-key-file",
    "key_file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Where the vendor's key stands, instead of asking for it; - for standard input.",
)
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A setting; as often as there are settings.")
@json_option
def connect_(vendor: str, organization: UUID, key_file: TextIO | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Connect an organization to VENDOR, or change its connection.

    Asks for what isn't given, checks the key with the vendor, and keeps it encrypted. A test organization needs no key:
    its pushes are simulated.

    \b
    jobnimbus  record_type_name, status_name; source_names, base_url
    hubspot    path_prefix, unique_property, base_url (each may be left out)
    webhook    url
    all        push_stage, settle_seconds, account (each may be left out)
    """
    kind = VENDORS[vendor]
    given = _parsed({**kind.settings, **_COMMON}, sets)
    with addresses() as found, connect(found.of_operator()) as connection:
        is_test = call(connection, "admin.organization", organization)[0]["environment"] == "test"
        connection.commit()  # no transaction stays open while a person types, or a vendor answers
        credential, key_id, account = None, None, Account(None)
        if not is_test:
            _ask(kind, given)
            key = _key(kind, key_file)
            own = settings.read()
            chosen = {name: value for name, value in given.items() if name not in _COMMON}
            account = asyncio.run(_verify(kind, chosen, key, own.allow_loopback_vendors))
            if account.faults:
                raise Mistake(" ".join(account.faults))
            credential, key_id = vault(found, own).encrypt(key, organization_id=organization, vendor=vendor)
        before = call(connection, "admin.crm_connections", organization)
        connection.commit()
        known = before[0]["account"] if before and before[0]["vendor"] == vendor else None
        name = (
            given.pop("account", None)
            or account.name
            or known
            or httpx.URL(given.get("base_url", "")).host
            or "default"
        )
        stage, settle = given.pop("push_stage", None), given.pop("settle_seconds", None)
        call(
            connection,
            "admin.connect_crm",
            organization,
            vendor,
            name,
            json.dumps(given),
            credential,
            key_id,
            stage,
            settle,
        )
    if known not in (None, name):
        click.echo(
            f"The account was {known} before. What was pushed to that one isn't known in this one; if it is the same, "
            f"say: --set account={known}",
            err=True,
        )
    how = "its pushes are simulated, since it is a test organization" if is_test else f"{kind.title} takes the key"
    one(
        {"organization_id": organization, "vendor": vendor, "account": name},
        f"The organization is connected to {kind.title} (account {name}): {how}.",
        as_json,
    )


@crm.command("list")
@_any_organization
@json_option
def list_(organization: UUID | None, as_json: bool) -> None:
    """List the connections. No credential is shown."""
    with addresses() as found, connect(found.of_operator()) as connection:
        connections = call(connection, "admin.crm_connections", organization)
        given = settings.read()
        ids = vault(found, given, makes=False).ids if found.is_embedded or given.crm_key else None
    for row in connections:
        del row["credential"]
        if ids is not None and row["credential_key"] and row["credential_key"] not in ids:
            row["fault"] = "Encrypted with a key that isn't here. Bring it back, or say: leads crm connect"
    columns = ("organization_id", "vendor", "account", "state", "push_stage", "waiting", "failed", "fault")
    rows(connections, columns, as_json)


def _change(name: str, sentence: str, help: str) -> None:
    @crm.command(name, help=help)
    @_organization
    @json_option
    def change(organization: UUID, as_json: bool) -> None:
        with operator() as connection:
            call(connection, "admin.change_crm_connection", organization, name)
        one({"organization_id": organization, "change": name}, sentence, as_json)


_change("pause", "The connection is paused.", "Pause a connection: pushes wait, and leads in their stage are skipped.")
_change("resume", "The connection is active.", "Resume a connection that was paused.")
_change(
    "disconnect",
    "The connection is removed. What was pushed is still known, should the same account be connected again.",
    "Remove a connection, with its credential.",
)


@crm.command()
@_any_organization
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="How many, at the most."
)
@json_option
def queue(organization: UUID | None, limit: int, as_json: bool) -> None:
    """List what waits, and what failed and why, the oldest first."""
    with operator() as connection:
        found = call(connection, "admin.crm_queue", organization, limit)
    columns = ("organization_id", "lead_id", "vendor", "status", "error_code", "attempts", "run_at", "error")
    rows(found, columns, as_json)


@crm.command()
@click.argument("lead", type=click.UUID, required=False)
@_organization
@click.option("--link", metavar="EXTERNAL_ID", help="This is LEAD's record at the vendor: nothing is sent.")
@json_option
def retry(lead: UUID | None, organization: UUID, link: str | None, as_json: bool) -> None:
    """Push again what failed or was skipped: LEAD, or all of the organization's.

    What ended as outcome_unknown is retried with its LEAD alone: look at the vendor first. If its record is there, say
    so with --link; if not, a new attempt may make it.
    """
    if link is not None and lead is None:
        raise Mistake("--link says which record LEAD has: name the lead too.")
    with operator() as connection:
        count = call(connection, "admin.retry_crm", organization, lead, link)[0]["retry_crm"]
    what = "linked" if link else "pushed again"
    one({"count": count}, f"{count} {'lead is' if count == 1 else 'leads are'} {what}.", as_json)


@crm.command()
@_organization
@json_option
def reconcile(organization: UUID, as_json: bool) -> None:
    """Compare the vendor's records with the pushes, and report what doesn't agree; nothing is changed.

    Exit code 1 where something doesn't agree.
    """
    with addresses() as found, connect(found.of_operator(), autocommit=True) as connection:
        call(connection, "admin.organization", organization)
        there = call(connection, "admin.crm_connections", organization)
        if not there:
            raise Mistake("The organization has no connection to a CRM. Make one with: leads crm connect")
        if there[0]["credential"] is None:
            raise Mistake("A test organization's pushes are simulated: there is nothing to compare with.")
        given = settings.read()
        try:
            credential = vault(found, given, makes=False).decrypt(
                there[0]["credential"],
                key_id=there[0]["credential_key"],
                organization_id=organization,
                vendor=there[0]["vendor"],
            )
        except VaultError as error:
            raise Mistake(str(error)) from None

        def syncs() -> list[DictRow]:
            return call(connection, "admin.crm_syncs", organization)

        kind = VENDORS[there[0]["vendor"]]
        findings = asyncio.run(_reconcile(kind, there[0], credential, given.allow_loopback_vendors, syncs))
    report(findings, as_json)
    if findings:
        sys.exit(1)


async def _reconcile(
    kind: Kind, there: DictRow, credential: str, allow_loopback: bool, syncs: Callable[[], list[DictRow]]
) -> list[dict[str, Any]]:
    async with client(allow_loopback=allow_loopback) as http:
        vendor = kind.of(http, there["settings"], credential, _before)
        try:
            return await compare(vendor, there["organization_id"], syncs)
        except NotImplementedError:
            raise Mistake(
                f"A {kind.title.lower()} can't be asked what it has: there is nothing to compare with."
            ) from None
        except CallFailed as error:
            raise Mistake(f"{error}. Nothing was compared: try again.") from None


async def _verify(kind: Kind, given: Mapping[str, Any], key: str, allow_loopback: bool) -> Account:
    async with client(allow_loopback=allow_loopback) as http:
        vendor: Vendor = kind.of(http, given, key, _before)
        try:
            return await vendor.verify()
        except CallFailed as error:
            raise Mistake(f"{error}. Nothing was kept: check the {kind.credential} and the settings.") from None


async def _before(_: Sent | None) -> float:
    return asyncio.get_running_loop().time() + 10


def _parsed(known: Mapping[str, Setting], sets: tuple[str, ...]) -> dict[str, Any]:
    parsed = {}
    for text in sets:
        name, is_given, value = text.partition("=")
        if not is_given:
            raise Mistake(f"--set {text}: say NAME=VALUE.")
        if name not in known:
            raise Mistake(f"There is no setting {name} here. The settings are {', '.join(known)}.")
        try:
            parsed[name] = known[name].parse(value)
        except ValueError as error:
            raise Mistake(f"--set {name} is {value!r}, but {error}.") from None
    return parsed


def _ask(kind: Kind, given: dict[str, Any]) -> None:
    """Asks for the settings that are needed and weren't given."""
    for name, setting in kind.settings.items():
        if setting.is_required and name not in given:
            if not sys.stdin.isatty():
                raise Mistake(f"{kind.title} needs {name}: say --set {name}=VALUE. {setting.help}")
            given[name] = click.prompt(f"{setting.help}\n{name}", value_proc=_typed(setting.parse))


def _key(kind: Kind, key_file: TextIO | None) -> str:
    if key_file is not None:
        try:
            return kind.parse_credential(key_file.read())
        except UnicodeDecodeError:
            raise Mistake("--api-key-file: that file isn't text.") from None
        except ValueError as error:
            raise Mistake(f"--api-key-file: that is no {kind.credential}: {error}.") from None
    if not sys.stdin.isatty():
        raise Mistake(f"{kind.title} needs its {kind.credential}: say --api-key-file FILE, or - for standard input.")
    key: str = click.prompt(
        f"{kind.title}'s {kind.credential}", hide_input=True, value_proc=_typed(kind.parse_credential)
    )
    return key


def _typed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise click.UsageError(f"That can't be it: {error}.") from None

    return read
