"""The worker's connection to a PostgreSQL that hangs."""

import asyncio
import os
import signal

import psycopg
import pytest

from app.worker import connection
from app.worker.connection import Connection
from app.worker.outbox import Outbox
from tests.support.database import Database

_SESSION = "select pid from pg_stat_activity where datname = current_database() and application_name = 'leads-worker'"


def test_a_session_that_does_not_answer_is_replaced(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the failure of a host: its connections may stay open, and nothing answers on them."""

    async def run() -> None:
        link = Connection(database.url("leads_worker"))
        own = Outbox(link)
        try:
            assert await own.seconds_until_due() is None
            (session,) = database.sql(_SESSION)
            os.kill(session["pid"], signal.SIGSTOP)
            try:
                with monkeypatch.context() as patch:
                    patch.setattr(connection, "PATIENCE", 0.5)
                    with pytest.raises(psycopg.OperationalError):
                        async with asyncio.timeout(60):
                            await own.seconds_until_due()
                assert await own.seconds_until_due() is None
            finally:
                os.kill(session["pid"], signal.SIGCONT)
        finally:
            await link.close()

    asyncio.run(run())
