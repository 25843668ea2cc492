begin;
select plan(14);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', actions => '{lead.created,lead.updated}')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com'), (acme(), 'bea@example.com');
update app.lead set name = 'Ada' where email = 'ada@example.com';
update app.lead set name = 'Ada L.' where email = 'ada@example.com';
select queue_deliveries();
create function test.delivery(number integer)
returns uuid
language sql
stable
begin atomic
  select d.id from webhook.delivery as d where d.position is not null order by d.position offset delivery.number - 1 limit 1;
end;
create function test.again(number integer)
returns text
language sql
volatile
begin atomic
  select (admin.redeliver_webhook(webhook('hook'), delivery(again.number))).state;
end;

select is(again(3), 'pending', 'a delivery that waits for an earlier one');
select is((select d.next_attempt_at from webhook.delivery as d where d.id = delivery(3)), null, 'waits still');
select settle_deliveries('delivered', 1)::text;
select is((select d.state from webhook.delivery as d where d.id = delivery(1)), 'delivered', 'the first one is delivered');
select is(again(1), 'pending', 'it is pending again');
select is(
  (select (d.begun_at is null, d.ended_at is null, d.attempts)::text from webhook.delivery as d where d.id = delivery(1)),
  '(t,t,1)', 'its period begins again'
);
create temporary table leased as select * from lease_deliveries(1);
select results_eq(
  'select delivery_id, attempt from leased', 'values (delivery(1), 2)', 'it is leased before the others, with the next number'
);
select is(again(1), 'pending', 'a delivery that a worker has');
select is((select webhook.settle_delivery(acme(), l.delivery_id, l.attempt, 'delivered') from leased as l), 'delivered', 'keeps its lease');
select is(
  array(select l.action || ' ' || l.lead from lease_deliveries() as l order by l.lead),
  '{lead.updated ada@example.com,lead.created bea@example.com}', 'the next ones of each lead follow, one at a time'
);

select throws_ok(
  $$select admin.redeliver_webhook(webhook('hook'), gen_random_uuid())$$, 'PT404', 'delivery_not_found', 'an unknown delivery'
);
update webhook.endpoint set paused_until = now() + interval '1 hour', failures = 9, failing_since = now();
select is((admin.test_webhook(webhook('hook'))).action, 'webhook.test', 'a test');
select age_deliveries('15 seconds');
select results_eq('select l.action from lease_deliveries() as l', $$values ('webhook.test')$$, 'is sent next, also in a pause');
update webhook.endpoint set state = 'disabled', disabled_reason = 'request', disabled_at = now();
select throws_ok($$select again(1)$$, 'PT409', 'webhook_is_disabled', 'a disabled webhook sends nothing again');
select throws_ok($$select admin.test_webhook(webhook('hook'))$$, 'PT409', 'webhook_is_disabled', 'and no test');

select * from finish();
rollback;
