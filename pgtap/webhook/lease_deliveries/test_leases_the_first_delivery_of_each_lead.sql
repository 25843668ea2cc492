begin;
select plan(10);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', actions => '{lead.created,lead.updated}')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com'), (acme(), 'bea@example.com');
update app.lead set name = 'Ada' where email = 'ada@example.com';
select queue_deliveries();

select is_empty($$select * from webhook.lease_deliveries('{another}', 64)$$, 'a worker without the key leases nothing');
create temporary table leased as select * from lease_deliveries();
select results_eq(
  'select lead, action, attempt from leased order by lead collate "C"',
  $$values ('ada@example.com', 'lead.created', 1), ('bea@example.com', 'lead.created', 1)$$,
  'one delivery of each lead'
);
select is_empty('select * from lease_deliveries()', 'not while another worker has them');
select is(
  (select array_agg(webhook.settle_delivery(acme(), l.delivery_id, l.attempt, 'delivered')) from leased as l),
  '{delivered,delivered}', 'they are delivered'
);
select results_eq(
  'select lead, action, attempt from lease_deliveries()', $$values ('ada@example.com', 'lead.updated', 1)$$,
  'then the next one of the lead'
);

select is(
  (select d.leased_until - d.last_attempt_at from webhook.delivery as d where d.leased_until is not null), '15 seconds',
  'the lease has 15 seconds'
);
select age_deliveries('5 seconds');
select is_empty('select * from lease_deliveries()', 'not before its end');
select age_deliveries('10 seconds');
select results_eq(
  'select lead, action, attempt from lease_deliveries()', $$values ('ada@example.com', 'lead.updated', 2)$$,
  'after its end another worker leases it, with the next number'
);
select is(
  (select webhook.settle_delivery(acme(), d.id, 1, 'delivered') from webhook.delivery as d where d.attempts = 2), null,
  'the worker that has lost the lease reports in vain'
);
select is(
  (select webhook.settle_delivery(acme(), d.id, 2, 'delivered') from webhook.delivery as d where d.attempts = 2), 'delivered',
  'and the other one does not'
);

select * from finish();
rollback;
