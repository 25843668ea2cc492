begin;
select plan(2);

-- Under row-level security no index can be used for an enum's comparison, because it isn't leakproof. An enum's value
-- can't be removed.
create view test.enum as
select t.oid::regtype::text as finding
from pg_type as t
join pg_namespace as n on n.oid = t.typnamespace
where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook') and t.typtype = 'e';

select is_kept('test.enum');
select is_reported('test.enum', $$create type app.mood as enum ('glad')$$, 'app.mood');

select * from finish();
rollback;
