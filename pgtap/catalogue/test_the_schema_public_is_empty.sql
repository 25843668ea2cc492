begin;
select plan(3);

create view test.object_in_public as
select format('%s %s', o.type, o.identity) as finding
from pg_depend as d
cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) as o
where d.refclassid = 'pg_namespace'::regclass
  and d.refobjid = (select n.oid from pg_namespace as n where n.nspname = 'public')
union all
select format('%s on schema public to public', lower(x.privilege_type))
from pg_namespace as n
cross join lateral aclexplode(n.nspacl) as x
where n.nspname = 'public' and x.grantee = 0;

select is_kept('test.object_in_public');
select is_reported('test.object_in_public', 'create table public.note (id integer)', 'table public.note');
select is_reported(
  'test.object_in_public', 'grant usage on schema public to public', 'usage on schema public to public'
);

select * from finish();
rollback;
