begin;
select plan(13);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', actions => '{lead.created,lead.updated}')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com'), (acme(), 'bea@example.com');
select queue_deliveries();
create temporary table leased as select * from lease_deliveries();

select throws_ok(
  $$select webhook.settle_delivery(acme(), l.delivery_id, 1, 'lost') from leased as l$$, 'PT422', 'unknown_outcome',
  'an outcome that does not exist'
);
select is(
  (select webhook.settle_delivery(organization('bob'), l.delivery_id, 1, 'delivered') from leased as l limit 1), null,
  'of another organization'
);
select is(
  (select webhook.settle_delivery(acme(), l.delivery_id, 1, 'failed', 503, null, 90) from leased as l where l.lead = 'ada@example.com'),
  'pending', 'Retry-After'
);
select results_eq(
  $$select d.message, d.http_status,
      d.next_attempt_at between d.last_attempt_at + interval '90 s' and clock_timestamp() + interval '90.001 s',
      p.paused_until between d.last_attempt_at + interval '90 s' and clock_timestamp() + interval '90.001 s'
    from webhook.delivery as d join webhook.endpoint as p on p.id = d.endpoint_id where d.http_status is not null$$,
  $$values ('The attempt failed.', 503, true, true)$$,
  'the whole webhook waits'
);
select is(
  (select webhook.settle_delivery(acme(), l.delivery_id, 1, 'delivered', 204) from leased as l where l.lead = 'bea@example.com'),
  'delivered', 'a delivery that was leased before'
);
select results_eq(
  $$select p.failures, p.failing_since is null, p.paused_until is null, p.recovered_at is null from webhook.endpoint as p$$,
  $$values (0, true, true, true)$$, 'its success ends the wait'
);
select is(
  (select webhook.settle_delivery(acme(), l.delivery_id, 1, 'failed') from leased as l where l.lead = 'bea@example.com'), null,
  'a second report is too late'
);
select age_deliveries('90 seconds');
create temporary table again as select * from lease_deliveries();
select is(
  (select webhook.settle_delivery(acme(), l.delivery_id, 2, 'failed', 999, repeat('x', 499) || '  ' || 'y', 1e9) from again as l),
  'pending', 'a status and a delay that do not exist'
);
select results_eq(
  $$select d.message = repeat('x', 499), d.http_status,
      d.next_attempt_at between d.last_attempt_at + interval '1 hour' and clock_timestamp() + interval '1 hour 0.001 s'
    from webhook.delivery as d where d.state = 'pending'$$,
  $$values (true, null::integer, true)$$,
  'a message has 500 characters, a delay an hour'
);

select age_deliveries('1 hour');
select is(settle_deliveries('gone'), '{pending}', 'a receiver that is gone');
select results_eq(
  'select p.state, p.disabled_reason from webhook.endpoint as p', $$values ('disabled', 'gone')$$, 'the webhook is disabled'
);
update webhook.endpoint set state = 'enabled', disabled_reason = null, disabled_at = null;
create temporary table last as select * from lease_deliveries();
select is((select l.attempt from last as l), 4, 'it is due at once when the webhook is enabled');
delete from webhook.endpoint;
select is(
  (select webhook.settle_delivery(acme(), l.delivery_id, l.attempt, 'delivered') from last as l), null, 'a webhook that was deleted'
);

select * from finish();
rollback;
