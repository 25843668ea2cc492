begin;
select plan(5);

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

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select is(crm.connections_without_key('{k,l}'), 0, 'none');
select is(crm.connections_without_key('{l}'), 1, 'its key is another');
select is(crm.connections_without_key('{}'), 1, 'there is none; a test organization needs none');
select admin.change_crm_connection(acme(), 'pause');
select is(crm.connections_without_key('{}'), 0, 'paused, it isn''t called');
set local session authorization leads_worker;
select is(crm.connections_without_key('{k}'), 0, 'the worker may ask');

select * from finish();
rollback;
