begin;
select plan(2);

select admin.create_organization('Acme', 'test')::text;
select make_webhook('hook', actions => '{lead.created}')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com');
select queue_deliveries();
select results_eq(
  'select state, attempts, ended_at is not null, next_attempt_at is null from webhook.delivery',
  $$values ('simulated', 0, true, true)$$,
  'a delivery is recorded'
);
select is_empty('select * from lease_deliveries()', 'and never leased');

select * from finish();
rollback;
