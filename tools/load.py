"""Loads sql/ into a database, as the migrating login: python -m tools.load.

It uses the embedded database of `leads serve`, or the one in LEADS_MIGRATE_URL. sql/load.sql gives the owners of the
functions the privilege to create them, and takes it back, so the login needs no further privilege. A running server
reads the routes again at once.
"""

import sys

import psycopg

from app.cli.addresses import addresses, connect
from app.cli.doctor import keeping_catalogue
from app.cli.output import Mistake
from app.unreleased import load_script


def main() -> int:
    """Loads the files of sql/load.sql in one transaction. Returns the exit code."""
    try:
        with addresses() as urls:
            url = urls.of_migrate()
            with keeping_catalogue(url), connect(url, autocommit=True) as connection:
                connection.execute(load_script().encode())
    except (Mistake, psycopg.Error) as error:
        print(f"Nothing was loaded: {error}", file=sys.stderr)
        return 1
    print("sql/ is loaded.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
