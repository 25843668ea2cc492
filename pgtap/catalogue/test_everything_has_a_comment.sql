begin;
select plan(10);

create view test.object_without_a_comment as
with our_schema as (
  select n.oid, n.nspname as name from pg_namespace as n where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
),
object (name, classoid, objoid, objsubid) as (
  select 'schema ' || s.name, 'pg_namespace'::regclass, s.oid, 0
  from our_schema as s
  union all
  select 'function ' || p.oid::regproc, 'pg_proc'::regclass, p.oid, 0
  from our_schema as s
  join pg_proc as p on p.pronamespace = s.oid
  union all
  select 'table ' || c.oid::regclass, 'pg_class'::regclass, c.oid, 0
  from our_schema as s
  join pg_class as c on c.relnamespace = s.oid
  where c.relkind in ('r', 'p', 'v', 'm', 'f')
  union all
  select 'type ' || t.oid::regtype, 'pg_type'::regclass, t.oid, 0
  from our_schema as s
  join pg_type as t on t.typnamespace = s.oid
  left join pg_class as c on c.oid = t.typrelid
  where t.typelem = 0 and (c.oid is null or c.relkind = 'c')
  union all
  -- The API serves these comments as its reference.
  select format('column %s.%s', c.oid::regclass, a.attname), 'pg_class'::regclass, c.oid, a.attnum
  from our_schema as s
  join pg_class as c on c.relnamespace = s.oid
  join pg_attribute as a on a.attrelid = c.oid
  where
    s.name = 'api' and c.relkind in ('r', 'v', 'c') and a.attnum > 0 and not a.attisdropped
    -- a field without a comment of its own has that of the column that it shows
    and not exists (
      select
      from api.shape as h
      join pg_attribute as o on o.attrelid = to_regclass(h.relation) and o.attname = a.attname
      where to_regtype(h.type) = c.reltype and col_description(o.attrelid, o.attnum) is not null
    )
)
select o.name as finding
from object as o
where not exists (
  select from pg_description as d where (d.objoid, d.classoid, d.objsubid) = (o.objoid, o.classoid, o.objsubid)
);

select is_kept('test.object_without_a_comment');
select is_reported('test.object_without_a_comment', c.fault, c.finding)
from (values
  ('comment on schema api is null', 'schema api'),
  ('comment on function api.get_health() is null', 'function api.get_health'),
  ('comment on function app.new_id() is null', 'function app.new_id'),
  ('comment on table app.lead is null', 'table app.lead'),
  ('comment on view auth.claimed_key is null', 'table auth.claimed_key'),
  ('comment on domain api.cursor is null', 'type api.cursor'),
  ('comment on type api.answer is null', 'type api.answer'),
  ('comment on column api.problem.title is null', 'column api.problem.title'),
  ('comment on column app.lead.qualification_completed_at is null', 'column api.lead.qualification_completed_at')
) as c (fault, finding);

select * from finish();
rollback;
