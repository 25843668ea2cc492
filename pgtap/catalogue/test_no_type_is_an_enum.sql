begin;
select plan(2);

-- under RLS no index serves an enum's comparison, which isn't leakproof; and a value can't be taken away again
create view test.enum as
select t.oid::regtype::text as finding
from pg_type as t
join pg_namespace as n on n.oid = t.typnamespace
where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi') and t.typtype = 'e';

select is_kept('test.enum');
select is_reported('test.enum', $$create type app.mood as enum ('glad')$$, 'app.mood');

select * from finish();
rollback;
