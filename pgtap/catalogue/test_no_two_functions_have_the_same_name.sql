begin;
select plan(2);

-- The reviewed grants and the routes contain a function's name without its arguments.
create view test.namesake as
select format('%s.%s', n.nspname, p.proname) as finding
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
group by n.nspname, p.proname
having count(*) > 1;

select is_kept('test.namesake');
select is_reported(
  'test.namesake', $$create function api.get_lead(a integer) returns integer language sql as 'select 1'$$,
  'api.get_lead'
);

select * from finish();
rollback;
