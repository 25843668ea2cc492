from collections.abc import Callable

import pytest

from tests.support.database import Database

WAIT = 20
"""Seconds."""


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A migrated database whose API waits twice as long for the result of a push, because the machine may be busy."""
    database = new_database()
    database.sql("update api.route set wait_seconds = %s where wait_seconds is not null", WAIT)
    return database
