begin;
select plan(7);

create view test.tenant_table as
select c.oid, a.attnum as organization_id
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook') and c.relkind in ('r', 'p');

create view test.key_not_led_by_organization_id as
select 'index ' || i.indexrelid::regclass as finding
from pg_index as i
join test.tenant_table as t on t.oid = i.indrelid
where
  i.indkey[0] <> t.organization_id
  -- Reviewed: keys and bindings are read before the organization is known, and no analyst can read them.
  and i.indexrelid::regclass::text not in ('auth.api_key_digest_is_unique', 'auth.analyst_role_oid_is_unique')
union all
select format('foreign key %s on %s', k.conname, k.conrelid::regclass)
from pg_constraint as k
join test.tenant_table as t on t.oid = k.conrelid
left join test.tenant_table as r on r.oid = k.confrelid
where k.contype = 'f' and k.conparentid = 0 and (k.conkey[1], k.confkey[1]) is distinct from (t.organization_id, r.organization_id)
union all
select 'no primary key on ' || t.oid::regclass
from test.tenant_table as t
where not exists (select from pg_index as i where i.indrelid = t.oid and i.indisprimary);

select is_kept('test.key_not_led_by_organization_id');
select is_reported('test.key_not_led_by_organization_id', c.fault, c.finding)
from (values
  ('create index by_name on app.lead (name)', 'index app.by_name'),
  ('create index by_lower_name on app.lead (lower(name), organization_id)', 'index app.by_lower_name'),
  ('create unique index by_id on app.lead (id)', 'index app.by_id'),
  ('alter table app.lead add constraint id_is_unique unique (id, organization_id)', 'index app.id_is_unique'),
  ('create table app.note (organization_id uuid)', 'no primary key on app.note')
) as c (fault, finding);
select is_reported(
  'test.key_not_led_by_organization_id',
  'alter table audit.event add constraint about_lead foreign key (lead_id, organization_id) references app.lead (id, organization_id)',
  'foreign key about_lead on audit.event'
);

select * from finish();
rollback;
