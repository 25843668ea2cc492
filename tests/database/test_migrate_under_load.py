"""The small version of ``make migrate-under-load``:
no request fails, and a lock that isn't free is tried again.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from bench import migrations as load_run
from tests.support.database import Database
from tests.support.process import Server


def test_no_request_fails_while_migrations_run(
    new_database: Callable[..., Database], new_server: Callable[..., Server], tmp_path: Path
) -> None:
    database = new_database()
    keys, leads = load_run.prepare(database.url(), database.url("leads_operator"), 1000)
    load_run.write_release(database.url(), tmp_path)
    load = load_run.Load(new_server(database).base, keys, leads, rate=20)
    with database.connect() as holder:
        holder.execute("begin; lock table audit.event in access share mode")
        end = threading.Timer(2, lambda: holder.execute("commit"))
        end.start()
        with load.running():
            count = load_run.migrate(database.url("leads_migrator"), tmp_path, load, quiet=0.5)
        end.join()
    names = ["999.0.0-01.column.sql", "999.0.0-02.index.sql", "999.0.0-03.policies.sql"]
    assert {answer.phase for answer in load.answers} == {"no migration", *names}
    assert [answer for answer in load.answers if answer.is_failure] == []
    assert count.retries[names[0]] >= 1
    assert database.sql("select indisvalid from pg_index where indexrelid = 'audit.event_by_load'::regclass") == [
        {"indisvalid": True}
    ]
    assert database.sql("select count(*) as n from audit.event where is_imported") == [{"n": 0}]
