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

insert into app.lead (organization_id, email, name) values (acme(), 'ada@example.com', 'Ada'), (acme(), 'eve@example.com', 'Eve');
select admin.change_crm_connection(acme(), 'pause');
create function test.requested(email text, is_asked boolean)
returns text
language sql
volatile
begin atomic
  select concat_ws(' ', r.status, r.error_code)
  from crm.request_push(acme(), lead(requested.email), requested.is_asked) as r;
end;

select is(requested('ada@example.com', false), 'skipped paused', 'by the stage''s change');
select is(requested('ada@example.com', false), 'skipped paused', 'once more');
select is(requested('eve@example.com', true), 'pending', 'asked for, it waits');
select is(requested('eve@example.com', false), 'pending', 'and goes on waiting');
select is(requested('ada@example.com', true), 'pending', 'what was skipped may be asked for');

update crm.sync set status = 'failed', error_code = 'gave_up', run_at = null;
select is(requested('ada@example.com', false), 'failed gave_up', 'a stage''s change doesn''t hide that it failed');
select is(requested('ada@example.com', true), 'pending', 'asked for, it waits');

update crm.sync set status = 'skipped', error_code = 'paused', run_at = null;
select admin.change_crm_connection(acme(), 'resume');
select is(requested('ada@example.com', false), 'pending', 'once it is active, the next change of stage pushes');
select is(leased(), '{Ada}', 'and a worker gets it');

select * from finish();
rollback;
