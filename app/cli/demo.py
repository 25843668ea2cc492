"""``leads demo``: a demo organization with 90 days of history, and a second organization."""

import hashlib
import json
from contextlib import nullcontext

import click
import psycopg

from app import embedded, settings
from app.cli import demo_history
from app.cli.addresses import addresses, call, connect, work_off
from app.cli.keys import digest, new_key

ORGANIZATION = "Demo Restoration"
STRANGER = "Stranger Plumbing"


@click.command()
def demo() -> None:
    """Create a demo organization with 400 leads and 90 days of history, and a second organization,
    and print an API key of the first.

    If the demo organization exists, the command only creates a new key. Both are test
    organizations: pushes to a CRM are simulated.
    """
    with addresses() as urls:
        data_dir = settings.read().data_dir
        with embedded.preparing(data_dir) if urls.is_embedded else nullcontext():
            click.echo(seed(urls.of_migrate()))


def seed(migrate_url: str) -> str:
    """Creates the organizations that don't exist yet,
    and returns a new key with the scope write.
    """
    with connect(migrate_url) as connection:
        ids = {row["name"]: row["id"] for row in call(connection, "admin.organizations")}
        for name, count, number in ((ORGANIZATION, demo_history.COUNT, 1), (STRANGER, 20, 2)):
            if name not in ids:
                ids[name] = call(connection, "admin.create_organization", name, "test")[0]["create_organization"]
                history = demo_history.history(number, count)
                call(connection, "admin.load_history", ids[name], json.dumps(history, default=str))
        key = new_key(connection, ids[ORGANIZATION])
        call(connection, "admin.create_key", ids[ORGANIZATION], "write", digest(key), "demo")
        # admin.load_history has locked tables, and other organizations may have much to seal and to count.
        connection.commit()
        work_off(connection, "admin.seal_events", "sealed")
        work_off(connection, "admin.count_stages", "counted")
    return key


def is_good(api_url: str, key: str) -> bool:
    """Whether the API accepts the key."""
    with connect(api_url) as connection:
        try:
            claim = hashlib.sha256(key.encode()).hexdigest()
            call(connection, "auth.enter", claim, "demo", "read", True)
        except psycopg.errors.RaiseException:
            return False
        except psycopg.DatabaseError as error:
            if error.sqlstate == "PT401":
                return False
            raise
    return True
