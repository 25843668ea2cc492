begin;
select plan(15);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', actions => '{lead.created,lead.updated}')::text;
insert into app.lead (organization_id, email) select acme(), n || '@example.com' from generate_series(1, 7) as n;
update app.lead set name = 'A' where email = '1@example.com';
select queue_deliveries();
create function test.endpoint()
returns text
language sql
stable
begin atomic
  select
    concat(
      p.state, ' ', p.failures, ' ', p.failing_since is not null, ' ',
      case when p.paused_until > clock_timestamp() then 'paused' end
    )
  from webhook.endpoint as p;
end;

select is(settle_deliveries('failed', 1), '{pending}', 'a delivery that fails is pending');
select results_eq(
  $$select d.state, d.attempts, d.http_status, d.message, d.leased_until is null,
      d.next_attempt_at between d.last_attempt_at + interval '3.7 s' and clock_timestamp() + interval '6.4 s'
    from webhook.delivery as d where d.attempts = 1$$,
  $$values ('pending', 1, 500, 'a message', true, true)$$,
  'for about 5 seconds'
);
select is(endpoint(), 'enabled 1 t ', 'the webhook does not pause yet');
select results_eq(
  $$select lead from lease_deliveries(3) order by lead collate "C"$$,
  $$values ('2@example.com'), ('3@example.com'), ('4@example.com')$$,
  'other leads go on, and the next event of this one does not'
);
select age_deliveries('15 seconds');
select is(cardinality(settle_deliveries('failed', 3)), 3, 'others fail');
select is(endpoint(), 'enabled 4 t ', 'four failures');
select is(cardinality(settle_deliveries('failed', 1)), 1, 'another one');
select is(endpoint(), 'enabled 5 t paused', 'after five failures in a row it pauses');
select is_empty('select * from lease_deliveries()', 'nothing is leased in the pause');
select age_deliveries('10 minutes');
select is(cardinality(settle_deliveries('failed')), 1, 'then one delivery tries it');
select is(
  (select p.paused_until - clock_timestamp() between '7 minutes' and '13 minutes' from webhook.endpoint as p), true,
  'the pause grows with the time for which it has failed'
);
select age_deliveries('10 hours 1 second');
update webhook.endpoint set paused_until = now() - interval '1 minute';
select is(cardinality(settle_deliveries('failed')), 1, 'another hour');
select is(
  (select p.paused_until - clock_timestamp() <= '1 hour' and p.paused_until - clock_timestamp() > '44 minutes' from webhook.endpoint as p), true, 'at most an hour'
);
select age_deliveries('1 hour');
select is(settle_deliveries('delivered'), '{delivered}', 'one is delivered');
select results_eq(
  $$select endpoint(), p.recovered_at is not null, (select count(*) from webhook.delivery as d where d.next_attempt_at > clock_timestamp())
    from webhook.endpoint as p$$,
  $$values ('enabled 0 f ', true, 0::bigint)$$,
  'everything else is due at once'
);

select * from finish();
rollback;
