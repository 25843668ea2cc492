"""Routes that tests add to the API."""

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
