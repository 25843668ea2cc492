"""``leads doctor``: reports what is wrong with a database, and how to fix it.

The rules are SQL: ``admin.findings()``. This module adds what the database can't know: whether the
files in migrations/ are unchanged, and which of them the database lacks.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace

import click
import psycopg
from psycopg.rows import DictRow

from app import migrations, settings
from app.cli import replicas
from app.cli.addresses import addresses, call, connect
from app.cli.cluster import analysts_elsewhere
from app.cli.output import Mistake, json_option

_MISSING = (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedTable)
_REMEDY_LINES = 12
_UNBOUND = "The analyst's login has no organization, so it reads nothing."
_IS_OLDER = """
select 1
from pg_catalog.pg_proc as p
join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
where n.nspname = 'api' and p.proname in ('schema_version', 'release_version')
having array_agg(p.proname::text) = '{schema_version}'
"""


@dataclass(frozen=True)
class Finding:
    """A fault. remedy: SQL, which ends with a semicolon, or else a command or a sentence."""

    subject: str
    finding: str
    remedy: str


@dataclass(frozen=True)
class NotSeen:
    """Something that the login can't see. look: how a login that can sees it."""

    subject: str
    question: str
    look: str


_FOR_SUPERUSERS = (
    NotSeen(
        "pg_hba.conf",
        "whether it permits logins without a password, or with a password in clear text",
        "select * from pg_hba_file_rules where auth_method in ('trust', 'password');",
    ),
    NotSeen(
        "passwords",
        "whether each is stored as a SCRAM verifier",
        "select rolname from pg_authid where rolpassword !~ '^SCRAM-SHA-256';",
    ),
    NotSeen(
        "shared_preload_libraries",
        "whether you know every library that the server loads",
        "show shared_preload_libraries;",
    ),
    NotSeen(
        "pg_stat_activity",
        "whether a transaction has been open for more than an hour",
        "select pid, usename, xact_start from pg_stat_activity where xact_start < now() - interval '1 hour';",
    ),
    NotSeen(
        "pg_statistic",
        "whether it has statistics of tenant tables from before they were disabled",
        "select s.starelid::regclass, s.staattnum from pg_statistic s join pg_attribute a on a.attrelid = s.starelid "
        "and a.attname = 'organization_id';",
    ),
)
_PENDING = NotSeen(
    "migrations",
    "which of them the database lacks (only the migrating login can see that)",
    "leads migrate --plan",
)


@click.command()
@click.option("--accept", is_flag=True, help="First accept all changes that were made by hand.")
@json_option
def doctor(accept: bool, as_json: bool) -> None:
    """Report what is wrong with the database, and how to fix it.
    The exit code is 1 if something is wrong.

    The command uses the login in LEADS_MIGRATE_URL or, if that isn't set, in LEADS_OPERATOR_URL.
    Neither needs to be a superuser. The command lists what it can't see without a superuser's
    rights, and how to see it.

    With DATABASE_URL and DATABASE_REPLICA_URL, it also asks the replicas.
    """
    with addresses() as urls:
        is_migrating = urls.migrate is not None
        url = urls.migrate or urls.of_operator()
        findings, not_seen = examine(url, is_migrating=is_migrating)
        if accept:
            _accept(urls.of_migrate(), findings)
            findings, not_seen = examine(urls.of_migrate(), is_migrating=True)
        retired = _retired(url)
        findings += _replica_findings()
    if as_json:
        answer = {
            "findings": [asdict(row) for row in findings],
            "not_seen": [asdict(row) for row in not_seen],
            "retired": retired,
        }
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo("\n".join(_text(findings, not_seen, retired)))
    if findings:
        sys.exit(1)


def examine(url: str, *, is_migrating: bool) -> tuple[list[Finding], list[NotSeen]]:
    """The findings, and what the login can't see. is_migrating: it is the migrating login.
    Raises psycopg.Error.
    """
    findings, not_seen = list(_file_findings()), list(_FOR_SUPERUSERS)
    with connect(url) as connection:
        connection.read_only = True
        # Its own admin.findings() would compare versions that don't count the same.
        is_older = bool(connection.execute(_IS_OLDER).rowcount)
        try:
            if not is_older:
                rows = call(connection, "admin.findings", migrations.newest())
                findings += _without_analysts_elsewhere([Finding(**row) for row in rows], connection, url)
        except _MISSING:
            findings.append(Finding("version", "The schema is missing, or older than this release.", "leads migrate"))
    try:
        pending = migrations.pending(url) if is_migrating else None
    except psycopg.errors.InsufficientPrivilege:
        pending = None
    except migrations.MigrationError as error:
        findings.append(_finding(error))
        return findings, not_seen
    if is_older:
        findings.append(_finding(migrations.no_upgrade()))
        return findings, not_seen
    if pending is None:
        not_seen.append(_PENDING)
    elif pending:
        names = ", ".join(migration.path.name for migration in pending)
        findings.append(Finding("migrations", f"These migrations aren't applied: {names}.", "leads migrate"))
    return findings, not_seen


def _replica_findings() -> Iterator[Finding]:
    """What is wrong with the replicas, if the addresses of the API server are set."""
    configuration = settings.read()
    if configuration.database_url is None or not configuration.replica_urls:
        return
    rows = replicas.findings(configuration.database_url, configuration.replica_urls, configuration.replica_lag)
    yield from (Finding(*row) for row in rows)


def _retired(url: str) -> list[DictRow]:
    """The years that were retired from the audit log, and whose tables still exist."""
    with connect(url) as connection:
        try:
            return [row for row in call(connection, "admin.retired_years") if row["dropped_at"] is None]
        except _MISSING:
            return []


def _without_analysts_elsewhere(
    findings: list[Finding], connection: psycopg.Connection[DictRow], url: str
) -> list[Finding]:
    """The findings without the logins that are analysts of another database in this cluster."""
    if not any(finding.finding == _UNBOUND for finding in findings):
        return findings
    analysts, unknown = analysts_elsewhere(connection, url)
    subjects = {f"role {name}" for login in analysts for name in (login, f'"{login}"')}
    kept = [finding for finding in findings if finding.finding != _UNBOUND or finding.subject not in subjects]
    if not unknown:
        return kept
    condition = f"Only if it isn't an analyst of the database {', '.join(unknown)} (see there: leads bi list), run: "
    return [replace(row, remedy=condition + row.remedy) if row.finding == _UNBOUND else row for row in kept]


@contextmanager
def keeping_catalogue(url: str) -> Iterator[None]:
    """Stores the catalogue after the migrations in the block,
    and reports changes that were made by hand before them.

    Those changes remain findings: only the migrations' changes are stored. A login without the
    privilege stores nothing. Raises psycopg.Error.
    """
    drifted = _drift(url)
    if names := [row["object"] for row in drifted if row["whole"] is None and row["object"] != "catalogue"]:
        click.echo(f"Changed by hand: {', '.join(names)}. For details, run: leads doctor", err=True)
    try:
        yield
    finally:
        # After a failed migration, this stores the changes of those before it.
        if not any(row["object"] == "catalogue" and row["change"] == "changed" for row in drifted):
            with suppress(psycopg.errors.InsufficientPrivilege):
                _keep(url, {row["object"]: row["definition"] for row in drifted})


def _accept(url: str, findings: list[Finding]) -> None:
    """Accepts the drift, and prints it. Raises Mistake if a rule is broken."""
    drifted = {row["object"] for row in _drift(url)}
    broken = [finding.subject for finding in findings if finding.subject not in drifted]
    if broken:
        raise Mistake(
            f"Nothing was accepted, because these findings break a rule: {', '.join(broken)}. Fix them first, and then "
            "accept the rest."
        )
    _keep(url, {})
    changes = "".join(f"\n  {change}" for change in sorted(drifted))
    click.echo(f"Accepted:{changes}" if changes else "There are no changes to accept.", err=True)


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
        yield _finding(error)


def _finding(error: migrations.MigrationError) -> Finding:
    finding, _, remedy = str(error).partition(". ")
    return Finding("migrations", f"{finding.removesuffix('.')}.", remedy)


def _text(findings: list[Finding], not_seen: list[NotSeen], retired: list[DictRow]) -> Iterator[str]:
    for finding in findings:
        yield from (finding.subject, f"  {finding.finding}", *_remedy(finding.remedy), "")
    if findings:
        count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        yield f"{count}. Run the SQL as the migrating login, or as a superuser if that login may not."
        yield "Then run leads doctor again: a remedy can reveal another finding."
    else:
        yield "Nothing found."
    if retired:
        yield from ("", "Years of the audit log that are retired, and whose tables still exist:")
        for row in retired:
            yield f"  {row['year']}: retired at {row['retired_at']} into {row['archive_name']}"
            yield f"      leads audit drop --year {row['year']} --archive FILE"
    yield ""
    yield "This login can't see:"
    for hidden in not_seen:
        yield from (f"  {hidden.subject}: {hidden.question}", f"      {hidden.look}")


def _remedy(remedy: str) -> Iterator[str]:
    lines = remedy.splitlines()
    shown = lines if len(lines) <= _REMEDY_LINES else lines[: _REMEDY_LINES - 1]
    yield from (f"      {line}".rstrip() for line in shown)
    if len(shown) < len(lines):
        yield f"      … ({len(lines) - len(shown)} more lines: leads doctor --json prints them)"
