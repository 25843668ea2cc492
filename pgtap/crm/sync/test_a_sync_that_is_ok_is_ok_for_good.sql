begin;
select plan(8);

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

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'));
select throws_ok('update crm.sync set ' || c.change, 'PT409', 'refused', c.change)
from (values
  ('external_id = ''8'''),
  ('status = ''pending'', run_at = now(), external_id = null, last_synced_at = null'),
  ('status = ''failed'', error_code = ''gave_up'', external_id = null, last_synced_at = null'),
  ('status = ''in_progress'', run_at = now(), attempts = 2, external_id = null, last_synced_at = null')
) as c (change);
select matches(
  hint($$update crm.sync set external_id = '8'$$), 'A sync that is ok has its record for good', 'and says why'
);
select lives_ok('update crm.sync set last_synced_at = now()', 'the time is no part of it');

alter table crm.sync disable trigger _120_keep_outcome;
select lives_ok($$update crm.sync set external_id = '8'$$, 'the trigger alone keeps it');
alter table crm.sync enable trigger _120_keep_outcome;
delete from app.lead;
select is_empty('select s.id from crm.sync as s', 'it goes with its lead alone');

select * from finish();
rollback;
