"""The small version of ``make migrate-under-load``:
no request fails, and a lock that isn't free is tried again.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    load, count = load_run.Load(new_server(database).base, keys, leads, rate=10), load_run.Count()
    with database.connect() as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("begin; lock table audit.event in access share mode")

        def release_after_a_retry() -> None:
            for _ in range(600):
                if count.retries:
                    break
                time.sleep(0.1)
            holder.execute("commit")

        release = pool.submit(release_after_a_retry)
        with load.running():
            load_run.migrate(database.url("leads_migrator"), tmp_path, load, count, quiet=0.5)
        release.result()
    names = ["999.0.0-01.column.sql", "999.0.0-02.index.sql", "999.0.0-03.policies.sql"]
    assert {answer.phase for answer in load.answers} == {"no migration", *names}
    assert [answer for answer in load.answers if answer.is_failure] == []
    assert count.retries[names[0]] >= 1
    assert database.sql("select indisvalid from pg_index where indexrelid = 'audit.event_by_load'::regclass") == [
        {"indisvalid": True}
    ]
    assert database.sql("select count(*) as n from audit.event where is_imported") == [{"n": 0}]
