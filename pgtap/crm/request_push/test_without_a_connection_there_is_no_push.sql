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

insert into app.lead (organization_id, email, name) values (acme(), 'ada@example.com', 'Ada');
select admin.change_crm_connection(acme(), 'disconnect');
select is((crm.request_push(acme(), lead('ada@example.com'), true)).id, null, 'not when it is asked for');
select is((crm.request_push(acme(), lead('ada@example.com'), false)).id, null, 'nor by the stage''s change');
select is_empty('select s.id from crm.sync as s', 'and nothing is kept');

select * from finish();
rollback;
