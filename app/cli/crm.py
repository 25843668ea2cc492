"""``leads crm``: connections to CRMs, and their pushes."""

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
from app.cli.output import Group, Mistake, json_option, one, rows
from app.cli.reconcile import compare, report
from app.cli.worker import vault
from app.worker.calls import client
from app.worker.vault import VaultError
from app.worker.vendors import Account, CallFailed, Sent, Setting, Vendor, typed
from app.worker.vendors.known import VENDORS, Kind

_organization: Callable[..., Any] = click.option(
    "--organization", required=True, type=click.UUID, metavar="ID", help="The organization."
)
_any_organization: Callable[..., Any] = click.option(
    "--organization", type=click.UUID, metavar="ID", help="List only this organization's."
)


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 3600:
        raise ValueError("it must be a whole number of seconds from 0 to 3600")
    return int(text)


def _account(text: str) -> str:
    name = typed.text(text)
    if len(name) > 255:
        raise ValueError("it must have at most 255 characters")
    return name


# The settings of every connection.
_COMMON = {
    "push_stage": Setting("A lead is pushed when it enters this stage (default: qualified).", False, typed.text),
    "settle_seconds": Setting("Seconds until the vendor's search shows a new record.", False, _seconds),
    "account": Setting("A name for the vendor's account, if the vendor doesn't report one.", False, _account),
}


@click.group(cls=Group)
def crm() -> None:
    """Connect organizations to a CRM, and list, retry and check pushes."""


@crm.command("connect")
@click.argument("vendor", type=click.Choice(list(VENDORS)))
@_organization
@click.option(
    "--api-key-file",
    "key_file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="A file with the vendor's API key; - reads standard input. Without it, the command asks for the key.",
)
@click.option(
    "--set", "sets", multiple=True, metavar="NAME=VALUE", help="Set a setting. Repeat the option for each setting."
)
@json_option
def connect_(vendor: str, organization: UUID, key_file: TextIO | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Connect an organization to VENDOR, or change its connection.

    The command asks for required settings that are missing, checks the key with the vendor, and
    stores it encrypted. A test organization needs no key: its pushes are simulated.

    \b
    Vendor     Required settings              Optional settings
    jobnimbus  record_type_name, status_name  source_names, base_url
    hubspot                                   path_prefix, unique_property, utc_offset, base_url
    webhook    url
    every                                     push_stage, settle_seconds, account
    """
    kind = VENDORS[vendor]
    chosen = _parsed({**kind.settings, **_COMMON}, sets)
    with addresses() as urls, connect(urls.of_operator()) as connection:
        is_test = call(connection, "admin.organization", organization)[0]["environment"] == "test"
        connection.commit()  # no transaction is open while the user types or the vendor answers
        credential, key_id, account = None, None, Account(None)
        if not is_test:
            _ask(kind, chosen)
            key = _key(kind, key_file)
            env = settings.read()
            vendor_settings = {name: value for name, value in chosen.items() if name not in _COMMON}
            account = asyncio.run(_verify(kind, vendor_settings, key, env.allow_loopback_vendors))
            if account.faults:
                raise Mistake(" ".join(account.faults))
            chosen = {**account.settings, **chosen}
            credential, key_id = vault(urls, env).encrypt(key, organization_id=organization, vendor=vendor)
        before = call(connection, "admin.crm_connections", organization)
        connection.commit()
        known = before[0]["account"] if before and before[0]["vendor"] == vendor else None
        name = (
            chosen.pop("account", None)
            or account.name
            or known
            or httpx.URL(chosen.get("base_url", "")).host
            or "default"
        )
        stage, settle = chosen.pop("push_stage", None), chosen.pop("settle_seconds", None)
        call(
            connection,
            "admin.connect_crm",
            organization,
            vendor,
            name,
            json.dumps(chosen),
            credential,
            key_id,
            stage,
            settle,
        )
    if known not in (None, name):
        click.echo(
            f"The account was {known} before. Leads that were pushed to it count as not pushed. If it is the same "
            f"account, run the command again with: --set account={known}",
            err=True,
        )
    result = "pushes are simulated, because it is a test organization" if is_test else f"{kind.title} accepts the key"
    one(
        {"organization_id": organization, "vendor": vendor, "account": name},
        f"The organization is connected to {kind.title} (account {name}): {result}.",
        as_json,
    )


@crm.command("list")
@_any_organization
@json_option
def list_(organization: UUID | None, as_json: bool) -> None:
    """List the connections, without their credentials."""
    with addresses() as urls, connect(urls.of_operator()) as connection:
        connections = call(connection, "admin.crm_connections", organization)
        env = settings.read()
        ids = vault(urls, env, makes=False).ids if urls.is_embedded or env.crm_key else None
    for row in connections:
        del row["credential"]
        if ids is not None and row["credential_key"] and row["credential_key"] not in ids:
            row["fault"] = "The key that encrypted the credential is missing. Restore it, or run: leads crm connect"
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


_change(
    "pause",
    "The connection is paused.",
    "Pause a connection: requested pushes wait, and a lead that enters the stage is skipped.",
)
_change(
    "resume",
    "The connection is active.",
    "Resume a paused connection. Leads that were skipped because the worker had paused it are pushed.",
)
_change(
    "disconnect",
    "The connection is removed. The pushes are kept, in case the same account is connected again.",
    "Remove a connection and its credential.",
)


@crm.command()
@_any_organization
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="The maximum number of pushes."
)
@json_option
def queue(organization: UUID | None, limit: int, as_json: bool) -> None:
    """List the pushes that wait, were skipped or failed, with the reason, oldest first."""
    with operator() as connection:
        pushes = call(connection, "admin.crm_queue", organization, limit)
    columns = ("organization_id", "lead_id", "vendor", "status", "error_code", "attempts", "run_at", "error")
    rows(pushes, columns, as_json)


@crm.command()
@click.argument("lead", type=click.UUID, required=False)
@_organization
@click.option("--link", metavar="EXTERNAL_ID", help="Link LEAD to this record at the vendor, and send nothing.")
@json_option
def retry(lead: UUID | None, organization: UUID, link: str | None, as_json: bool) -> None:
    """Push LEAD again, or all leads of the organization whose push failed or was skipped.

    A push with the error outcome_unknown is only retried if LEAD is named, because the vendor may
    have the record. Check there first. If it has the record, use --link; if not, retry without it.
    """
    if link is not None and lead is None:
        raise Mistake("--link needs LEAD, the lead that the record belongs to.")
    with operator() as connection:
        count = call(connection, "admin.retry_crm", organization, lead, link)[0]["retry_crm"]
    action = "linked" if link else "queued for a push"
    one({"count": count}, f"{count} {'lead is' if count == 1 else 'leads are'} {action}.", as_json)


@crm.command()
@_organization
@json_option
def reconcile(organization: UUID, as_json: bool) -> None:
    """Compare the vendor's records with the pushes, and report differences. Nothing is changed.

    The exit code is 1 if there are differences.
    """
    with addresses() as urls, connect(urls.of_operator(), autocommit=True) as connection:
        call(connection, "admin.organization", organization)
        connections = call(connection, "admin.crm_connections", organization)
        if not connections:
            raise Mistake("The organization has no connection to a CRM. To create one: leads crm connect")
        if connections[0]["credential"] is None:
            raise Mistake("The pushes of a test organization are simulated, so there are no records to compare.")
        env = settings.read()
        try:
            credential = vault(urls, env, makes=False).decrypt(
                connections[0]["credential"],
                key_id=connections[0]["credential_key"],
                organization_id=organization,
                vendor=connections[0]["vendor"],
            )
        except VaultError as error:
            raise Mistake(str(error)) from None

        def syncs() -> list[DictRow]:
            return call(connection, "admin.crm_syncs", organization)

        kind = VENDORS[connections[0]["vendor"]]
        findings = asyncio.run(_reconcile(kind, connections[0], credential, env.allow_loopback_vendors, syncs))
    report(findings, as_json)
    if findings:
        sys.exit(1)


async def _reconcile(
    kind: Kind, row: DictRow, credential: str, allow_loopback: bool, syncs: Callable[[], list[DictRow]]
) -> list[dict[str, Any]]:
    async with client(allow_loopback=allow_loopback) as http:
        vendor = kind.of(http, row["settings"], credential, _before)
        try:
            return await compare(vendor, row["organization_id"], syncs)
        except NotImplementedError:
            raise Mistake(f"A {kind.title.lower()} can't list its records, so there is nothing to compare.") from None
        except CallFailed as error:
            raise Mistake(f"{error}. Nothing was compared: try again.") from None


async def _verify(kind: Kind, chosen: Mapping[str, Any], key: str, allow_loopback: bool) -> Account:
    async with client(allow_loopback=allow_loopback) as http:
        vendor: Vendor = kind.of(http, chosen, key, _before)
        try:
            return await vendor.verify()
        except CallFailed as error:
            raise Mistake(f"{error}. Nothing was saved. Check the {kind.credential} and the settings.") from None


async def _before(_: Sent | None) -> float:
    return asyncio.get_running_loop().time() + 10


def _parsed(known: Mapping[str, Setting], sets: tuple[str, ...]) -> dict[str, Any]:
    parsed = {}
    for text in sets:
        name, separator, value = text.partition("=")
        if not separator:
            raise Mistake(f"--set {text} is not of the form NAME=VALUE.")
        if name not in known:
            raise Mistake(f"There is no setting {name}. The settings are {', '.join(known)}.")
        try:
            parsed[name] = known[name].parse(value)
        except ValueError as error:
            raise Mistake(f"--set {name} is {value!r}, but {error}.") from None
    return parsed


def _ask(kind: Kind, chosen: dict[str, Any]) -> None:
    """Asks for the required settings that are missing."""
    for name, setting in kind.settings.items():
        if setting.is_required and name not in chosen:
            if not sys.stdin.isatty():
                raise Mistake(f"{kind.title} needs {name}. Use --set {name}=VALUE. {setting.help}")
            chosen[name] = click.prompt(f"{setting.help}\n{name}", value_proc=_typed(setting.parse))


def _key(kind: Kind, key_file: TextIO | None) -> str:
    if key_file is not None:
        try:
            return kind.parse_credential(key_file.read())
        except UnicodeDecodeError:
            raise Mistake("--api-key-file: the file isn't valid UTF-8.") from None
        except ValueError as error:
            raise Mistake(f"--api-key-file: the file has no valid {kind.credential}: {error}.") from None
    if not sys.stdin.isatty():
        raise Mistake(f"{kind.title} needs its {kind.credential}. Use --api-key-file FILE; - reads standard input.")
    key: str = click.prompt(
        f"{kind.title}'s {kind.credential}", hide_input=True, value_proc=_typed(kind.parse_credential)
    )
    return key


def _typed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise click.UsageError(f"The value isn't valid: {error}.") from None

    return read
