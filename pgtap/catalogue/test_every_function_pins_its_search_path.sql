begin;
select plan(4);

-- The names in a begin atomic body are resolved when the function is created, those in any other body when it runs.
create view test.function_with_an_open_search_path as
select p.oid::regproc::text as finding
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and p.prosqlbody is null
  and 'search_path=pg_catalog, pg_temp' <> all (coalesce(p.proconfig, '{}'));

select is_kept('test.function_with_an_open_search_path');
select is_reported(
  'test.function_with_an_open_search_path', $$create function app.one() returns integer language sql as 'select 1'$$,
  'app.one'
);
select is_reported(
  'test.function_with_an_open_search_path',
  $$create function app.one() returns integer language sql set search_path = public as 'select 1'$$, 'app.one'
);
select is_reported(
  'test.function_with_an_open_search_path', 'alter function auth.enter(text, text, text, boolean) reset search_path',
  'auth.enter'
);

select * from finish();
rollback;
