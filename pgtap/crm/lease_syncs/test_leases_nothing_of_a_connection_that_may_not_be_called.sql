begin;
select plan(9);

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

select is_empty($$select * from crm.lease_syncs('{l,m}', 64)$$, 'a credential that none of the keys decrypts');
select is_empty($$select * from crm.lease_syncs('{}', 64)$$, 'no keys');
update crm.connection set blocked_until = clock_timestamp() + interval '1 minute';
select is(leased(), '{}', 'the vendor said Retry-After');
update crm.connection set blocked_until = now(), state = 'paused';
select is(leased(), '{}', 'paused');
create table test.connection as select c.* from crm.connection as c;
select admin.change_crm_connection(acme(), 'disconnect');
select is(leased(), '{}', 'disconnected');
select admin.connect_crm(acme(), 'hubspot', 'another account', '{}', '\x00', 'k');
select is(leased(), '{}', 'another account');
select admin.connect_crm(acme(), 'jobnimbus', 'an account', '{}', '\x00', 'k');
select is(leased(), '{}', 'another vendor');
select is((sync('Ada')).status || (sync('Ada')).attempts, 'pending0', 'the push waits meanwhile');
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');
select is(leased(), '{Ada}', 'until it may be called');

select * from finish();
rollback;
