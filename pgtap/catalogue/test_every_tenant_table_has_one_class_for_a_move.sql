begin;
select plan(9);

create view test.class_fault as
with tenant_table as (
  select c.oid, c.oid::regclass::text as name, c.relpersistence
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_attribute as a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
  where
    n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
    and c.relkind in ('r', 'p')
    and not c.relispartition
)
select 'unclassed ' || t.name as finding
from tenant_table as t
where t.name not in (select c.relation from admin.table_class() as c)
union all
select 'classed twice ' || c.relation from admin.table_class() as c group by c.relation having count(*) > 1
union all
select 'gone ' || c.relation from admin.table_class() as c where c.relation not in (select t.name from tenant_table as t)
union all
select 'unknown class ' || c.class from admin.table_class() as c where c.class not in ('data', 'ownership', 'derived')
union all
-- The rows of a table are inserted after those that they refer to, and deleted before.
select format('%s before %s', k.conrelid::regclass, k.confrelid::regclass)
from pg_constraint as k
join admin.table_class() as c on to_regclass(c.relation) = k.conrelid
join admin.table_class() as r on to_regclass(r.relation) = k.confrelid
where k.contype = 'f' and k.conrelid <> k.confrelid and c.position < r.position
union all
-- PostgreSQL publishes no such table.
select 'not logged ' || t.name
from tenant_table as t
join admin.table_class() as c on c.relation = t.name
where c.class = 'data' and t.relpersistence <> 'p'
union all
-- A publication with a condition on organization_id needs it in the replica identity, which is the primary key.
select 'not identified ' || t.name
from tenant_table as t
join admin.table_class() as c on c.relation = t.name
where
  c.class = 'data'
  and not exists (
    select
    from pg_class as r
    join pg_index as i on i.indrelid = r.oid and i.indisprimary
    join pg_attribute as a on a.attrelid = r.oid and a.attname = 'organization_id' and a.attnum = any (i.indkey)
    where r.oid = t.oid and r.relreplident = 'd'
  );

select is_kept('test.class_fault');
select is_reported(
  'test.class_fault', 'create table app.note (organization_id uuid primary key)', 'unclassed app.note'
);
select is_reported('test.class_fault', 'drop table app.lead_word cascade', 'gone app.lead_word');
select is_reported(
  'test.class_fault', 'alter table app.stage_day replica identity full', 'not identified app.stage_day'
);
select is_reported(
  'test.class_fault', 'alter table app.stage_day drop constraint stage_day_pkey', 'not identified app.stage_day'
);
select is_reported('test.class_fault', 'alter table app.unindexed_lead set unlogged', 'not logged app.unindexed_lead');
select is_reported(
  'test.class_fault',
  'alter table app.pipeline_stage add column form_id uuid,
     add constraint refers foreign key (organization_id, form_id) references intake.form',
  'app.pipeline_stage before intake.form'
);
create table test.class as select c.* from admin.table_class() as c;
select is_reported(
  'test.class_fault',
  $$
    create or replace function admin.table_class()
    returns table ("position" integer, relation text, class text) language sql immutable
    as $f$ select * from test.class union all select 999, 'app.lead_word', 'data' $f$
  $$,
  'classed twice app.lead_word'
);
select is_reported(
  'test.class_fault',
  $$
    create or replace function admin.table_class()
    returns table ("position" integer, relation text, class text) language sql immutable
    as $f$ select position, relation, case relation when 'app.lead_word' then 'none' else class end from test.class $f$
  $$,
  'unknown class none'
);

select * from finish();
rollback;
