begin;
select plan(4);

-- Acme is live, and has a connection; the dba does what a worker does.
create function test.acme()
returns uuid
language sql
stable
security definer
begin atomic
  select o.organization_id from app.organization as o where o.name = 'Acme';
end;
create function test.sync(name text)
returns crm.sync
language sql
stable
security definer
begin atomic
  select s
  from crm.sync as s
  join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
  where l.name = sync.name;
end;
create function test.leased(batch integer default 64)
returns text[]
language sql
volatile
begin atomic
  select array(
    select j.contact ->> 'name'
    from crm.lease_syncs('{k}', leased.batch) as j
    order by j.contact ->> 'name' collate "C"
  );
end;
select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

select throws_ok('truncate ' || t, 'PT409', 'refused', t)
from unnest('{crm.attempt,crm.connection}'::text[]) as t;
select throws_ok('truncate crm.sync cascade', 'PT409', 'refused', 'crm.sync');
alter table crm.attempt disable trigger _100_refuse_truncate;
select lives_ok('truncate crm.attempt', 'by the triggers alone');

select * from finish();
rollback;
