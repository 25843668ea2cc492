begin;
select plan(5);

create view test.column_with_statistics as
with tenant_table as (
  select a.attrelid as oid
  from pg_attribute as a
  join pg_class as c on c.oid = a.attrelid
  join pg_namespace as n on n.oid = c.relnamespace
  where
    n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
      and c.relkind in ('r', 'p')
      and a.attname = 'organization_id'
      and not a.attisdropped
)
select a.attrelid::regclass || '.' || a.attname as finding
from tenant_table as t
join pg_attribute as a on a.attrelid = t.oid
where a.attnum > 0 and not a.attisdropped and a.attstattarget is distinct from 0
union all
-- An index has statistics of its expressions.
select i.indexrelid::regclass || '.' || a.attname
from tenant_table as t
join pg_index as i on i.indrelid = t.oid
join pg_attribute as a on a.attrelid = i.indexrelid
where i.indkey[a.attnum - 1] = 0 and a.attstattarget is distinct from 0
union all
select 'statistics ' || s.stxname
from tenant_table as t
join pg_statistic_ext as s on s.stxrelid = t.oid;

select is_kept('test.column_with_statistics');
select is_reported(
  'test.column_with_statistics', 'alter table app.lead alter column source set statistics 100', 'app.lead.source'
);
select is_reported('test.column_with_statistics', 'alter table app.lead add column note text', 'app.lead.note');
select is_reported(
  'test.column_with_statistics', 'create index by_lower_name on app.lead (organization_id, lower(name))',
  'app.by_lower_name.lower'
);
select is_reported(
  'test.column_with_statistics', 'create statistics app.both on source, name from app.lead', 'statistics both'
);

select * from finish();
rollback;
