begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', actions => '{lead.created,lead.updated,api_key.created}')::text;
create function test.due()
returns text[]
language sql
stable
begin atomic
  select array(
    select concat(d.action, ' ', l.email, case when d.next_attempt_at is null then ' waits' end)
    from webhook.delivery as d
    left join app.lead as l on l.organization_id = d.organization_id and l.id = d.lead_id
    order by d.position
  );
end;

insert into app.lead (organization_id, email) values (acme(), 'ada@example.com');
update app.lead set name = 'Ada' where email = 'ada@example.com';
select queue_deliveries();
select is(due(), '{lead.created ada@example.com,lead.updated ada@example.com waits}', 'of one call');

update app.lead set name = 'Ada L.' where email = 'ada@example.com';
insert into app.lead (organization_id, email) values (acme(), 'bea@example.com');
select queue_deliveries();
select is(
  due(),
  '{lead.created ada@example.com,lead.updated ada@example.com waits,lead.updated ada@example.com waits,lead.created bea@example.com}',
  'of a later call; other leads are due'
);

delete from webhook.delivery;
select admin.create_key(acme(), 'read', sha256('1'))::text;
select queue_deliveries();
select admin.create_key(acme(), 'read', sha256('2'))::text;
select queue_deliveries();
select is(due(), array['api_key.created ', 'api_key.created  waits'], 'events about no lead follow one another, too');

select * from finish();
rollback;
