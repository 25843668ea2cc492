begin;
select plan(10);

select admin.create_organization('Acme', 'live')::text;
select make_webhook(w, actions => '{lead.created}')::text from unnest('{a,b,c}'::text[]) as w;
insert into app.lead (organization_id, email) select acme(), n || '@example.com' from generate_series(1, 9) as n;
select queue_deliveries();
create function test.taken(batch integer, running integer, of_others integer default 24)
returns bigint
language sql
volatile
begin atomic
  select count(*) from lease_deliveries(taken.batch, jsonb_build_object(acme(), taken.running, organization('bob'), taken.of_others));
end;

select is(taken(2, 0), 2::bigint, 'at most the batch');
select is(taken(64, 7), 1::bigint, 'at most the remainder of 8 in an organization');
select is(taken(64, 8), 0::bigint, 'the remainder can be 0');
select is(taken(64, 1, 31), 0::bigint, 'while the worker has 32, an organization with a lease gets no more');
select is(taken(64, 0, 63), 1::bigint, 'one without a lease gets one');
select is(taken(64, 0), 8::bigint, '8 at most');
select is(
  array(select count(*) from webhook.delivery as d where d.leased_until is not null group by d.endpoint_id), '{4,4,4}',
  '4 of each webhook'
);
select is(taken(64, 0), 0::bigint, 'not more, although the other worker runs none');

select is(
  (select count(*) from webhook.delivery as d
    where d.leased_until is not null and webhook.settle_delivery(acme(), d.id, 1, 'failed') = 'pending'),
  12::bigint, 'all fail'
);
update webhook.endpoint set failures = 5, failing_since = now(), paused_until = null where name in ('a', 'b');
update webhook.endpoint set failures = 5, failing_since = now(), paused_until = now() + interval '1 minute' where name = 'c';
select is(taken(64, 0), 2::bigint, 'one of each webhook that fails, and none of one that pauses');

select * from finish();
rollback;
