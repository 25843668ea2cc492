"""``leads doctor``: what is wrong with this database."""

import click


@click.command()
def doctor() -> None:
    """Say what is wrong with this database, and what to do about it."""
