begin;
select plan(3);

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

savepoint change;
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
select is((sync('Ada')).status, 'pending', 'the lead and its push');
rollback to savepoint change;
select is_empty('select s.id from crm.sync as s', 'are there together, or not at all');

alter table app.lead disable trigger _910_push_first_stage;
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
select is_empty('select s.id from crm.sync as s', 'by the trigger alone');

select * from finish();
rollback;
