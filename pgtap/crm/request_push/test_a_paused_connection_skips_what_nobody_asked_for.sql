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
