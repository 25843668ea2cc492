"""Routes that tests add to the API."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.database import Database

SLOW = """
create function api.sleep(seconds integer)
returns api.answer
language sql
stable
begin atomic
  select row(200, null, '{}')::api.answer from pg_catalog.pg_sleep(sleep.seconds);
end;

create function api.slow_write(seconds integer)
returns api.answer
language sql
volatile
begin atomic
  select row(200, null, '{}')::api.answer from pg_catalog.pg_sleep(slow_write.seconds);
end;

grant execute on function api.sleep(integer), api.slow_write(integer) to leads_api;
insert into api.route (method, path, function, scope)
values ('GET', '/sleep', 'api.sleep', 'read'), ('POST', '/slow-write', 'api.slow_write', 'write');
"""
"""SQL that creates a read and a write, each of which takes as many seconds as its parameter says."""


HELD = """
create function api.wait()
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A session that waits for the lock itself would be ended by its lock_timeout.
  while not pg_try_advisory_xact_lock_shared(7) loop
    perform pg_sleep(0.01);
  end loop;
  return row(200, null, '{}')::api.answer;
end $$;

grant execute on function api.wait() to leads_api;
insert into api.route (method, path, function, scope) values ('GET', '/wait', 'api.wait', 'read');
"""
"""SQL that creates a read which lasts as long as ``held`` holds it, and at most for a statement's 10 seconds."""


@contextmanager
def held(database: Database) -> Iterator[None]:
    """The requests of /wait do not end during the block."""
    with database.connect() as session:
        session.execute("select pg_advisory_lock(7)")
        yield
