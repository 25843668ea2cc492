begin;
select plan(3);

create view test.table_of_nobody as
select c.oid::regclass::text as finding
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and c.relkind in ('r', 'p', 'm', 'f')
  and not exists (
    select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
  )
  -- Reviewed: the tables of the application, with the same rows for all organizations.
  and c.oid::regclass::text not in (
    'api.problem', 'api.route', 'api.operation', 'api.tag', 'api.guide', 'api.parameter', 'api.shape',
    'api.named_schema', 'admin.catalogue_entry', 'audit.retirement',
    'app.lead_field', 'scoring.default_model', 'crm.vendor', 'intake.preset', 'webhook.sealing_key', 'auth.cell',
    'auth.position_key'
  );

select is_kept('test.table_of_nobody');
select is_reported('test.table_of_nobody', 'create table app.note (id uuid)', 'app.note');
select is_reported(
  'test.table_of_nobody', 'create materialized view app.names as select l.name from app.lead as l', 'app.names'
);

select * from finish();
rollback;
