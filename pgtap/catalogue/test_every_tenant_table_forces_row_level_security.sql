begin;
select plan(4);

create view test.table_without_forced_rls as
select c.oid::regclass::text as finding
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and c.relkind in ('r', 'p')
  and exists (
    select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
  )
  and not (c.relrowsecurity and c.relforcerowsecurity);

select is_kept('test.table_without_forced_rls');
select is_reported('test.table_without_forced_rls', 'alter table app.lead no force row level security', 'app.lead');
select is_reported(
  'test.table_without_forced_rls', 'alter table auth.api_key disable row level security', 'auth.api_key'
);
select is_reported('test.table_without_forced_rls', 'create table app.note (organization_id uuid)', 'app.note');

select * from finish();
rollback;
