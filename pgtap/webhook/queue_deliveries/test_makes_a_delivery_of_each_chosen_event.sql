begin;
select plan(7);

select admin.create_organization('Acme', 'live')::text;
insert into app.lead (organization_id, email) values (acme(), 'before@example.com');
select pg_sleep(0.002); -- times have milliseconds
select make_webhook('all')::text;
select make_webhook('some', actions => '{lead.created,lead.deleted}')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com'), (acme(), 'bea@example.com');
update app.lead set name = 'Ada' where email = 'ada@example.com';

-- The event is sealed after the webhooks were created, and is older.
select queue_deliveries();
create function test.queued(name text)
returns text[]
language sql
stable
begin atomic
  select array(
    select d.action || ' ' || coalesce(l.email, '-')
    from webhook.delivery as d
    left join app.lead as l on l.organization_id = d.organization_id and l.id = d.lead_id
    where d.endpoint_id = webhook(queued.name) and d.action like 'lead.%'
    order by d.position
  );
end;
select is(
  queued('all'), '{lead.created ada@example.com,lead.created bea@example.com,lead.updated ada@example.com}',
  'without actions every event, in the order of the seals, and none from before the webhook was created'
);
select is(queued('some'), '{lead.created ada@example.com,lead.created bea@example.com}', 'with actions only theirs');
select is(
  (select array_agg(distinct s.position - p.position) from webhook.endpoint as p
    cross join lateral (select max(s.position) as position from audit.seal as s where s.organization_id = acme()) as s),
  '{0}', 'both webhooks are at the last seal'
);
select is_empty('select * from webhook.unqueued_batch', 'the queue is empty');

select is(
  (select (d.event_id, d.event_created_at, d.position) = (s.event_id, s.created_at, s.position)
    from webhook.delivery as d join audit.seal as s on s.organization_id = acme() and s.position = d.position
    where d.endpoint_id = webhook('some') limit 1),
  true, 'a delivery names its event'
);

insert into webhook.unqueued_batch (organization_id) values (acme());
select queue_deliveries();
select is(cardinality(queued('all')), 3, 'a second call makes no second delivery');

delete from webhook.endpoint;
insert into app.lead (organization_id, email) values (acme(), 'cleo@example.com');
select queue_deliveries();
select is_empty('select * from webhook.unqueued_batch', 'without webhooks the queue is emptied too');

select * from finish();
rollback;
