begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', actions => '{lead.created}')::text;
insert into app.lead (organization_id, email) select acme(), n || '@example.com' from generate_series(1, 7) as n;
select queue_deliveries();
create function test.endpoint()
returns text
language sql
stable
begin atomic
  select concat_ws(' ', p.state, p.disabled_reason, p.failures) from webhook.endpoint as p;
end;

select settle_deliveries('failed', 4)::text;
select settle_deliveries('failed', 1)::text;
-- As if a worker had tried each hour.
update webhook.endpoint set failing_since = failing_since - interval '3 days' + interval '1 minute', paused_until = now();
select is(settle_deliveries('failed'), '{pending}', 'shortly before');
select is(endpoint(), 'enabled 6', 'it is enabled');
update webhook.endpoint set failing_since = failing_since - interval '1 minute', paused_until = now();
select is(settle_deliveries('failed'), '{pending}', 'the delivery is kept');
select is(endpoint(), 'disabled failing 7', 'it is disabled');
select is((select count(*) from webhook.delivery as d where d.state = 'pending'), 7::bigint, 'with all deliveries');
select is(
  (select e.payload -> 'diff' ->> 'disabled_reason' from audit.event as e where e.action = 'webhook.updated'),
  '{"from" : null, "to" : "failing"}', 'the audit log records it'
);
select is_empty('select * from lease_deliveries()', 'nothing is sent any more');

-- Nobody has tried for hours: the three days begin again.
update webhook.endpoint set state = 'enabled', disabled_reason = null, disabled_at = null;
update webhook.endpoint set failures = 9, failing_since = now() - interval '5 days', paused_until = now() - interval '7 hours';
select settle_deliveries('failed', 1)::text;
select is(endpoint(), 'enabled 1', 'a period without attempts does not count');
update webhook.endpoint set failures = 1, failing_since = now() - interval '5 days', paused_until = null;
select settle_deliveries('failed', 1)::text;
select is(endpoint(), 'enabled 1', 'nor after a single failure long ago');

select * from finish();
rollback;
