begin;
select plan(6);

-- row(l.*)::app.lead_values gives each field the value of its column only if both have the same columns.
create view test.column_of_values as
select
  c.oid,
  row_number() over (partition by c.oid order by a.attnum) as position,
  a.attname,
  format_type(a.atttypid, a.atttypmod) as type,
  a.attcollation
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped;

create view test.values_unlike_their_table as
select t.oid::regclass::text as finding
from pg_class as t
join pg_namespace as n on n.oid = t.relnamespace
left join pg_class as c on c.relnamespace = t.relnamespace and c.relname || '_values' = t.relname
where
  t.relkind = 'c'
  and t.relname like '%\_values'
  and n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and array(
    select row(v.position, v.attname, v.type, v.attcollation)::text
    from test.column_of_values as v where v.oid = t.oid order by v.position
  ) <> array(
    select row(v.position, v.attname, v.type, v.attcollation)::text
    from test.column_of_values as v where v.oid = c.oid order by v.position
  );

select is_kept('test.values_unlike_their_table');
select is_reported('test.values_unlike_their_table', c.fault, c.finding)
from (values
  ('alter table app.lead add column extra text', 'app.lead_values'),
  ('alter type app.lead_values add attribute extra text', 'app.lead_values'),
  (
    'create type app.pipeline_stage_values as (organization_id uuid, name varchar, position integer)',
    'app.pipeline_stage_values'
  ),
  ('alter type crm.sync_values rename attribute error to reason', 'crm.sync_values'),
  ('create type app.note_values as (id uuid)', 'app.note_values')
) as c (fault, finding);

select * from finish();
rollback;
