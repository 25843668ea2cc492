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

insert into app.lead (organization_id, email, name, pipeline_stage)
values (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'eve@example.com', 'Eve', 'qualified');
select leased()::text;
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'));
select act_as('operator');
select results_eq(
  $$
    select s.lead_id, s.status, s.external_id, s.error_code, s.email, s.last_synced_at is null
    from admin.crm_syncs(acme()) as s
    order by s.email
  $$,
  $$
    values
      (lead('ada@example.com'), 'ok', '7', null, 'ada@example.com', false),
      (lead('eve@example.com'), 'in_progress', null, null, 'eve@example.com', true)
  $$,
  'the pushes of its connection'
);
select is_empty('select * from admin.crm_syncs(organization(''bob''))', 'bob has none');
select admin.connect_crm(acme(), 'hubspot', 'another account', '{}', '\x00', 'k');
select is_empty('select * from admin.crm_syncs(acme())', 'nor has another account');

select * from finish();
rollback;
