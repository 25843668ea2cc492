begin;
select plan(13);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

set local session authorization leads_worker;
select throws_ok(c.call, '42501', 'permission denied for ' || c.what, c.call)
from (values
  ('select * from crm.sync', 'table sync'),
  ('select * from crm.connection', 'table connection'),
  ('select * from crm.attempt', 'table attempt'),
  ('select * from crm.vendor', 'table vendor'),
  ('select crm.request_push(acme(), null, true)', 'function request_push'),
  ('select crm.wake_worker(acme(), null)', 'function wake_worker'),
  ('select crm.sync_in_force(acme(), null)', 'function sync_in_force'),
  ('select crm.open_until(acme(), null, 0)', 'function open_until'),
  ('select * from app.lead', 'schema app')
) as c (call, what);
select lives_ok('select admin.delete_expired_answers(10)', 'it can delete expired answers');
select is(leased(), '{Ada}', 'lease');
select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'go', 'call');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'), 'ok', 'and settle');

select * from finish();
rollback;
