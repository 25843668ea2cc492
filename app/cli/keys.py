"""``leads keys``: API keys. A key is created here and printed once;
the database stores a digest of its digest.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow

from app.cli import instants
from app.cli.addresses import call, operator, wait_for_announcement
from app.cli.output import Group, json_option, one, rows

_SCOPES = ("read", "write", "admin")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def new_key(connection: psycopg.Connection[DictRow], organization: UUID) -> str:
    """A new key of the organization, which is not stored yet. ``auth.new_key`` defines its form."""
    return str(call(connection, "admin.new_key", organization)[0]["new_key"])


def digest(key: str) -> bytes:
    """The digest that the database stores: SHA-256 of the key's SHA-256.
    The inner digest is a request's claim.
    """
    return hashlib.sha256(hashlib.sha256(key.encode()).digest()).digest()


class Instant(click.ParamType[datetime]):
    """A time from now or an absolute time: 90d, 2026-12-31 or 2026-12-31T12:00:00Z."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parses the argument."""
        if isinstance(value, datetime):
            return value
        if (duration := _duration(value)) is not None:
            return datetime.now(UTC) + duration
        if (instant := instants.read(value)) is not None:
            return instant
        self.fail(f"{value!r} is not a time. Use 90d, 2026-12-31 or 2026-12-31T12:00:00Z.", param, ctx)


class Duration(click.ParamType[timedelta]):
    """A number of seconds, minutes, hours or days: 30m, 24h or 7d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parses the argument."""
        if isinstance(value, timedelta):
            return value
        if (duration := _duration(value)) is not None:
            return duration
        self.fail(f"{value!r} is not a duration. Use 30m, 24h or 7d.", param, ctx)


class _Scopes(click.ParamType[str]):
    name = "scopes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        scopes = str(value).split(",")
        if not all(scope in _SCOPES for scope in scopes):
            self.fail(f"{value!r} is not a list of scopes. Use read, write and admin, separated by commas.", param, ctx)
        # admin includes write, and write includes read, so the highest scope is enough.
        return max(scopes, key=_SCOPES.index)


def _duration(text: str) -> timedelta | None:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


@click.group(cls=Group)
def keys() -> None:
    """Create, list, rotate and revoke API keys."""


@keys.command()
@click.option(
    "--organization", required=True, type=click.UUID, metavar="ID", help="The organization that the key belongs to."
)
@click.option(
    "--scopes",
    required=True,
    type=_Scopes(),
    help="read, write or admin. write includes read, and admin includes both.",
)
@click.option("--name", help="A name that says what the key is for.")
@click.option(
    "--expires", type=Instant(), help="When the key expires: 90d, 2026-12-31 or 2026-12-31T12:00:00Z. [default: never]"
)
@json_option
def create(organization: UUID, scopes: str, name: str | None, expires: datetime | None, as_json: bool) -> None:
    """Create a key, and print it. It can't be shown again."""
    with operator() as connection:
        key = new_key(connection, organization)
        id = call(connection, "admin.create_key", organization, scopes, digest(key), name, expires)[0]["create_key"]
        wait_for_announcement(connection, organization)
    one({"id": id, "key": key}, key, as_json)


@keys.command("list")
@click.option("--organization", type=click.UUID, metavar="ID", help="List only this organization's keys.")
@json_option
def list_(organization: UUID | None, as_json: bool) -> None:
    """List the keys, oldest first. The keys themselves aren't stored and can't be shown."""
    with operator() as connection:
        if organization is not None:
            call(connection, "admin.organization", organization)
        keys = call(connection, "admin.keys", organization)
    rows(
        keys, ("id", "organization_id", "name", "scopes", "state", "created_at", "expires_at", "last_used_at"), as_json
    )


@keys.command()
@click.argument("id", type=click.UUID)
@click.option("--overlap", type=Duration(), default="24h", show_default=True, help="How long the old key stays valid.")
@json_option
def rotate(id: UUID, overlap: timedelta, as_json: bool) -> None:
    """Create a key that replaces the key ID, and print it. It can't be shown again."""
    with operator() as connection:
        organization = call(connection, "admin.good_key", id)[0]["organization_id"]
        key = new_key(connection, organization)
        new_id = call(connection, "admin.rotate_key", id, digest(key), overlap)[0]["rotate_key"]
        wait_for_announcement(connection, organization)
    one({"id": new_id, "key": key}, key, as_json)


@keys.command()
@click.argument("id", type=click.UUID)
@json_option
def revoke(id: UUID, as_json: bool) -> None:
    """Revoke the key ID, effective immediately."""
    with operator() as connection:
        call(connection, "admin.revoke_key", id)
    one({"id": id, "state": "revoked"}, f"The key {id} is revoked.", as_json)
