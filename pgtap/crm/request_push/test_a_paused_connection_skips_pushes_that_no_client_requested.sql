begin;
select plan(9);

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

select is(requested('ada@example.com', false), 'skipped paused', 'a change of the stage');
select is(requested('ada@example.com', false), 'skipped paused', 'again');
select is(requested('eve@example.com', true), 'pending', 'a requested push waits');
select is(requested('eve@example.com', false), 'pending', 'and is not skipped later');
select is(requested('ada@example.com', true), 'pending', 'a skipped push can be requested');

update crm.sync set status = 'failed', error_code = 'gave_up', run_at = null;
select is(requested('ada@example.com', false), 'failed gave_up', 'a change of the stage leaves a failed push unchanged');
select is(requested('ada@example.com', true), 'pending', 'a requested push waits');

update crm.sync set status = 'skipped', error_code = 'paused', run_at = null;
select admin.change_crm_connection(acme(), 'resume');
select is(requested('ada@example.com', false), 'pending', 'after resume, the next change of the stage pushes');
select is(leased(), '{Ada}', 'a worker gets the push');

select * from finish();
rollback;
