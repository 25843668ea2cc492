begin;
select plan(2);

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
select admin.connect_crm(acme(), 'jobnimbus', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select is_empty(
  $$
    select n
    from generate_series(1, 300) as n
    where (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict <> 'go'
  $$,
  'all may go'
);
select is((select c.paced_until from crm.connection as c), null, 'the connection isn''t written to');

select * from finish();
rollback;
