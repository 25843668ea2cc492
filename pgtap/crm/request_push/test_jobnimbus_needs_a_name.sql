begin;
select plan(7);

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

insert into app.lead (organization_id, email) values (acme(), 'ada@example.com');
select is(
  faults($$select crm.request_push(acme(), lead('ada@example.com'), true)$$), '{name required_by_crm}', 'asked for'
);
select throws_ok(
  $$select crm.request_push(acme(), lead('ada@example.com'), true)$$, 'PT422', 'validation_failed', 'a fault of the lead''s'
);
select is(
  (select r.status || ' ' || r.error_code from crm.request_push(acme(), lead('ada@example.com'), false) as r),
  'skipped incomplete', 'by the stage''s change'
);
select is(
  (select r.status || ' ' || r.error_code from crm.request_push(acme(), lead('ada@example.com'), false) as r),
  'skipped incomplete', 'once more'
);
update app.lead set company = 'Analytical Engines';
select is((crm.request_push(acme(), lead('ada@example.com'), false)).status, 'pending', 'a company will do');

insert into app.lead (organization_id, email, name) values (acme(), 'eve@example.com', 'Eve');
select is((crm.request_push(acme(), lead('eve@example.com'), true)).status, 'pending', 'so will a name');

select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');
insert into app.lead (organization_id, email) values (acme(), 'bob@example.com');
select is((crm.request_push(acme(), lead('bob@example.com'), true)).status, 'pending', 'HubSpot takes an address alone');

select * from finish();
rollback;
