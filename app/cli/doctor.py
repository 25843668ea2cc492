"""``leads doctor``: what is wrong with this database, and what mends it.

The rules are SQL (``admin.findings()``). Here stand only the questions that the database can't answer: whether the
files in migrations/ are whole, and which of them it lacks.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

import click
import psycopg
from psycopg.rows import DictRow

from app import migrations
from app.cli.addresses import addresses, call, connect
from app.cli.output import Mistake, json_option

_MISSING = (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedTable)
_REMEDY_LINES = 12


@dataclass(frozen=True)
class Finding:
    """Something that is wrong. remedy: SQL, which ends with a semicolon, or a command, or a sentence."""

    subject: str
    finding: str
    remedy: str


@dataclass(frozen=True)
class NotSeen:
    """What the login can't look at, and how somebody who can would."""

    subject: str
    question: str
    look: str


_FOR_SUPERUSERS = (
    NotSeen(
        "pg_hba.conf",
        "whether it lets somebody in without a password, or with one in clear text",
        "select * from pg_hba_file_rules where auth_method in ('trust', 'password');",
    ),
    NotSeen(
        "passwords",
        "whether each is kept as a SCRAM verifier",
        "select rolname from pg_authid where rolpassword !~ '^SCRAM-SHA-256';",
    ),
    NotSeen(
        "shared_preload_libraries",
        "whether each library that the server loads is one that you know",
        "show shared_preload_libraries;",
    ),
    NotSeen(
        "pg_statistic",
        "whether a tenant table's statistics were kept before they were switched off",
        "select s.starelid::regclass, s.staattnum from pg_statistic s join pg_attribute a on a.attrelid = s.starelid "
        "and a.attname = 'organization_id';",
    ),
)
_PENDING = NotSeen(
    "migrations",
    "which of them the database lacks; the migrating login sees it",
    "leads migrate --plan",
)


@click.command()
@click.option("--accept", is_flag=True, help="First take the schema as it is for what it should be, drift and all.")
@json_option
def doctor(accept: bool, as_json: bool) -> None:
    """Say what is wrong with this database, and what mends it.

    Exit code 1 where something is. As the login in LEADS_MIGRATE_URL or, without it, the one in LEADS_OPERATOR_URL;
    neither need be a superuser, and what only one could see is named.
    """
    with addresses() as found:
        is_migrating = found.migrate is not None
        findings, not_seen = examine(found.migrate or found.of_operator(), is_migrating=is_migrating)
        if accept:
            _accept(found.of_migrate(), findings)
            findings, not_seen = examine(found.of_migrate(), is_migrating=True)
    if as_json:
        answer = {"findings": [asdict(one) for one in findings], "not_seen": [asdict(one) for one in not_seen]}
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo("\n".join(_text(findings, not_seen)))
    if findings:
        sys.exit(1)


def examine(url: str, *, is_migrating: bool) -> tuple[list[Finding], list[NotSeen]]:
    """The findings, and what was not seen. is_migrating: whether it is the migrating login. Raises psycopg.Error."""
    findings, not_seen = list(_file_findings()), list(_FOR_SUPERUSERS)
    with connect(url) as connection:
        connection.read_only = True
        try:
            findings += [Finding(**row) for row in call(connection, "admin.findings", migrations.newest())]
        except _MISSING:
            findings.append(Finding("version", "The schema isn't there, or older than this command.", "leads migrate"))
    try:
        pending = migrations.pending(url) if is_migrating else None
    except psycopg.errors.InsufficientPrivilege:
        pending = None
    except migrations.MigrationError as error:
        pending = []
        findings.append(Finding("migrations", str(error), "See docs/upgrading.md."))
    if pending is None:
        not_seen.append(_PENDING)
    elif pending:
        names = ", ".join(migration.path.name for migration in pending)
        findings.append(Finding("migrations", f"Not applied: {names}.", "leads migrate"))
    return findings, not_seen


@contextmanager
def keeping_catalogue(url: str) -> Iterator[None]:
    """Keeps what the schema is after the block's migrations; first says what somebody else has changed before them.

    That stays a finding: only what the migrations have made is kept. A login that may do neither applies no migration.
    Raises psycopg.Error.
    """
    drifted = _drift(url)
    if names := [row["object"] for row in drifted if row["whole"] is None and row["object"] != "catalogue"]:
        click.echo(f"Changed by hand, which leads doctor says more about: {', '.join(names)}.", err=True)
    try:
        yield
    finally:
        # Also what came before a migration that failed.
        if not any(row["object"] == "catalogue" and row["change"] == "changed" for row in drifted):
            with suppress(psycopg.errors.InsufficientPrivilege):
                _keep(url, {row["object"]: row["definition"] for row in drifted})


def _accept(url: str, findings: list[Finding]) -> None:
    """Takes the drift for what should be, and says what it took. Raises Mistake where a rule is broken."""
    drifted = {row["object"] for row in _drift(url)}
    broken = [one.subject for one in findings if one.subject not in drifted]
    if broken:
        raise Mistake(
            f"Nothing is accepted: {', '.join(broken)} would stay wrong. Mend what leads doctor says of it first, and "
            "then accept the rest."
        )
    _keep(url, {})
    click.echo(f"Accepted: {', '.join(sorted(drifted)) or 'nothing was changed'}.", err=True)


def _drift(url: str) -> list[DictRow]:
    with connect(url) as connection:
        connection.read_only = True
        try:
            return call(connection, "admin.drift")
        except (*_MISSING, psycopg.errors.InsufficientPrivilege):
            return []


def _keep(url: str, drifted: Mapping[str, str | None]) -> None:
    with suppress(*_MISSING), connect(url) as connection:
        call(connection, "admin.keep_catalogue", json.dumps(drifted))


def _file_findings() -> Iterator[Finding]:
    try:
        migrations.check_sums()
    except migrations.MigrationError as error:
        finding, _, remedy = str(error).partition(". ")
        yield Finding("migrations", f"{finding}.", remedy)


def _text(findings: list[Finding], not_seen: list[NotSeen]) -> Iterator[str]:
    for one in findings:
        yield from (one.subject, f"  {one.finding}", *_remedy(one.remedy), "")
    if findings:
        count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        yield f"{count}. The SQL is for the migrating login or, where that may not run it, for a superuser."
    else:
        yield "Nothing found."
    yield ""
    yield "Not seen by this login:"
    for hidden in not_seen:
        yield from (f"  {hidden.subject}: {hidden.question}", f"      {hidden.look}")


def _remedy(remedy: str) -> Iterator[str]:
    lines = remedy.splitlines()
    shown = lines if len(lines) <= _REMEDY_LINES else lines[: _REMEDY_LINES - 1]
    yield from (f"      {line}".rstrip() for line in shown)
    if len(shown) < len(lines):
        yield f"      … ({len(lines) - len(shown)} more lines: leads doctor --json shows them)"
