begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', 'values')::text;
insert into webhook.delivery (organization_id, endpoint_id, action, next_attempt_at)
select acme(), webhook('hook'), 'webhook.test', 'epoch' from generate_series(1, 2);
update webhook.endpoint set failures = 5, failing_since = now();
select is(
  (select l.body #- '{timestamp}' from lease_deliveries() as l),
  jsonb_build_object(
    'type', 'webhook.test',
    'data', jsonb_build_object('id', null, 'organization_id', acme(), 'lead_id', null, 'position', null, 'fields', '[]'::jsonb)
  ),
  'the body of a test'
);
select age_deliveries('15 seconds');
select is(settle_deliveries('failed'), '{failed}', 'a test that fails has ended');
select is((select p.failures from webhook.endpoint as p), 5, 'it does not count');
select is(settle_deliveries('delivered'), '{delivered}', 'a test that succeeds');
select is((select p.failures from webhook.endpoint as p), 0, 'shows that the webhook has recovered');

select * from finish();
rollback;
