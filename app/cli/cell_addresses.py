"""The options by which an operator says at which address PostgreSQL of another machine reaches a cell."""

from collections.abc import Sequence

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.cli.output import Mistake


def by_cell(pairs: Sequence[str]) -> dict[str, str]:
    """The addresses of the pairs NAME=ADDRESS, by the name. Raises Mistake."""
    addresses = {}
    for pair in pairs:
        name, _, address = pair.partition("=")
        if "=" not in address:
            raise Mistake(f"{pair!r} is not NAME=ADDRESS, such as b='host=db2.internal dbname=leads'.")
        try:
            conninfo_to_dict(address)
        except psycopg.ProgrammingError as error:
            raise Mistake(f"An address is not a libpq connection string: {error}") from None
        addresses[name] = address
    return addresses
