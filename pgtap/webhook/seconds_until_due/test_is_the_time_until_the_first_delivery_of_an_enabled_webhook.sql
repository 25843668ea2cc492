begin;
select plan(7);

select admin.create_organization('Acme', 'live')::text;
select is(webhook.seconds_until_due('{k}'), null, 'without a delivery');
select make_webhook(w, actions => '{lead.created}')::text from unnest('{a,b}'::text[]) as w;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com'), (acme(), 'bea@example.com');
select queue_deliveries();
select is(webhook.seconds_until_due('{k}') <= 0, true, 'due');
select is(webhook.seconds_until_due('{another}'), null, 'of another key');
-- The times are rounded to milliseconds.
update webhook.delivery set next_attempt_at = clock_timestamp() + interval '40 seconds' where endpoint_id = webhook('a');
update webhook.delivery set next_attempt_at = clock_timestamp() + interval '30 seconds' where endpoint_id = webhook('b');
select is(webhook.seconds_until_due('{k}') between 20 and 30.001, true, 'the first one');
update webhook.endpoint set paused_until = clock_timestamp() + interval '50 seconds' where name = 'b';
select is(webhook.seconds_until_due('{k}') between 31 and 40.001, true, 'after the pause of its webhook');
update webhook.endpoint set state = 'disabled', disabled_reason = 'request', disabled_at = now() where name = 'a';
select is(webhook.seconds_until_due('{k}') between 41 and 50.001, true, 'not of a disabled webhook');
select is(webhook.endpoints_without_key('{another}') - webhook.endpoints_without_key('{k}'), 1, 'webhooks that wait for a key');

select * from finish();
rollback;
