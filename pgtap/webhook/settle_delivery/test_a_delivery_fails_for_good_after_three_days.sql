begin;
select plan(7);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', actions => '{lead.created,lead.updated}')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com');
update app.lead set name = 'Ada';
select queue_deliveries();

select is(settle_deliveries('failed'), '{pending}', 'a failure');
select age_deliveries('3 days');
-- Meanwhile others succeeded.
update webhook.endpoint set failures = 0, failing_since = null;
update webhook.delivery set begun_at = begun_at + interval '1 minute' where attempts = 1;
select is(settle_deliveries('failed'), '{pending}', 'shortly before three days have passed');
select age_deliveries('1 hour');
update webhook.endpoint set failures = 0, failing_since = null, recovered_at = now() - interval '11 hours';
select is(settle_deliveries('failed'), '{pending}', 'soon after the webhook has recovered');
select age_deliveries('1 hour 1 minute');
select is(settle_deliveries('failed'), '{failed}', 'it is given up');
select results_eq(
  'select d.state, d.ended_at is not null, d.next_attempt_at is null, d.message from webhook.delivery as d where d.attempts = 4',
  $$values ('failed', true, true, 'a message')$$,
  'with its reason'
);
select results_eq(
  'select l.lead, l.action, l.attempt from lease_deliveries() as l', $$values ('ada@example.com', 'lead.updated', 1)$$,
  'the next event of the lead follows'
);
select is((select p.state from webhook.endpoint as p), 'enabled', 'the webhook is enabled');

select * from finish();
rollback;
