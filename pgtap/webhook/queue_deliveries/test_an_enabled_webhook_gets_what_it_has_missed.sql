begin;
select plan(6);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('first', actions => '{lead.created}')::text;
select make_webhook('second', actions => '{lead.created}')::text;
update webhook.endpoint
set state = 'disabled', disabled_reason = 'failing', disabled_at = now(), failures = 7, failing_since = now()
where name = 'first';
insert into app.lead (organization_id, email) select acme(), n || '@example.com' from generate_series(1, 5) as n;
select queue_deliveries();
create function test.queued(name text)
returns bigint
language sql
stable
begin atomic
  select count(*) from webhook.delivery as d where d.endpoint_id = webhook(queued.name);
end;
select is(array[queued('first'), queued('second')], '{0,5}', 'a disabled webhook gets nothing');

update webhook.endpoint set state = 'enabled', disabled_reason = null, disabled_at = null where name = 'first';
select is(
  (select (p.failures, p.failing_since is null, p.recovered_at is not null)::text from webhook.endpoint as p where p.name = 'first'),
  '(0,t,t)', 'its failures are forgotten'
);
insert into app.lead (organization_id, email) values (acme(), '6@example.com');
select admin.seal_events()::text;
select is(
  (select q.queued from webhook.queue_deliveries(null, 4) as q), 4, 'a call handles a batch of seals, divided among the webhooks'
);
select is(array[queued('first'), queued('second')] <= '{4,6}', true, 'those that it has missed are behind');
select queue_deliveries();
select is(array[queued('first'), queued('second')], '{6,6}', 'an enabled one gets all that it has missed');
select is(
  array(
    select d.position from webhook.delivery as d where d.endpoint_id = webhook('first') order by d.id
  ),
  array(select d.position from webhook.delivery as d where d.endpoint_id = webhook('first') order by d.position),
  'in order'
);

select * from finish();
rollback;
