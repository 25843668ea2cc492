begin;
select plan(18);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');
create function test.figure(name text, label text default '')
returns double precision
language sql
as $$ select f.value from admin.service_figures() as f where f.name = figure.name and f.label = figure.label $$;

select is(test.figure('outbox_pushes', 'waiting'), 0::double precision, 'no push waits');
select is(test.figure('outbox_oldest_seconds', 'waiting'), null, 'no push is the oldest');
select is(test.figure('audit_seal_lag_seconds') >= 0, true, 'the events of the arrangement have no seal yet');

insert into app.lead (organization_id, email, name, pipeline_stage) values
  (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'bo@example.com', 'Bo', 'qualified');
update crm.sync set begun_at = now() - interval '100 seconds';
select is(test.figure('outbox_pushes', 'waiting'), 2::double precision, 'two pushes wait for their first attempt');
select cmp_ok(test.figure('outbox_oldest_seconds', 'waiting'), '>=', 100::double precision, 'the age of the oldest');
select leased()::text;
select is(test.figure('outbox_pushes', 'in_progress'), 2::double precision, 'two pushes run');
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'not_made', null, 500, 'Internal error'));
select format('It is %s.', crm.settle_attempt(acme(), (sync('Bo')).id, 1, 'refused', null, 400, 'Refused'));
select is(test.figure('outbox_pushes', 'retrying'), 1::double precision, 'one push is tried again');
select is(test.figure('outbox_pushes', 'failed'), 1::double precision, 'one push has failed');

select is(
  test.figure('audit_unsealed_events'), (select count(*) from audit.unsealed)::double precision, 'the events without a seal'
);
select cmp_ok(test.figure('table_bytes', 'app.lead'), '>', 0::double precision, 'the size of a table');
select is(
  (select count(*) from admin.service_figures() as f where f.name = 'table_bytes' and f.label like 'audit.event%'),
  1::bigint,
  'a table with partitions is one table'
);
select is(test.figure('webhooks', 'working'), 0::double precision, 'no webhook');
select is(test.figure('webhook_due_seconds'), 0::double precision, 'no delivery is due');
select webhook.announce_keys('{k}', array[sha256('k')]);
select make_webhook('crm', 'ids', '{lead.created}')::text;
insert into app.lead (organization_id, email, name) values (acme(), 'cy@example.com', 'Cy'), (acme(), 'di@example.com', 'Di');
select queue_deliveries();
update webhook.delivery set next_attempt_at = next_attempt_at - interval '100 seconds';
select cmp_ok(test.figure('webhook_due_seconds'), '>=', 100::double precision, 'for how long the first has been due');
select is(test.figure('webhook_deliveries', 'waiting'), 2::double precision, 'two deliveries wait for their first attempt');
select settle_deliveries('failed', 1)::text;
select is(test.figure('webhooks', 'failing'), 1::double precision, 'the webhook fails');
select is(test.figure('webhook_deliveries', 'retrying'), 1::double precision, 'one delivery is tried again');
set local session authorization leads_api;
select throws_ok('select * from admin.service_figures()', '42501', null, 'the login of the API server can''t call it');

select * from finish();
rollback;
