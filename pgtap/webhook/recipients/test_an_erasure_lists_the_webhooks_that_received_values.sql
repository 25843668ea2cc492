begin;
select plan(10);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('values', 'values', '{lead.created,lead.updated,lead.erased,lead.read}')::text;
select make_webhook('ids', 'ids')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com'), (acme(), 'bea@example.com');
create temporary table person as select l.id, l.email from app.lead as l where l.organization_id = acme();
create function test.listed(email text)
returns jsonb
language sql
volatile
begin atomic
  select webhook.recipients(acme(), p.id)::jsonb - 'x' from pg_temp.person as p where p.email = listed.email;
end;
select queue_deliveries();
select settle_deliveries('failed')::text;

select results_eq(
  $$select w.id, w.host from json_to_recordset(webhook.recipients(acme(), lead('ada@example.com'))) as w (id uuid, host text)$$,
  $$values (webhook('values'), 'values.example.com')$$,
  'a webhook that received values, also if the attempt failed'
);
select is(
  (select e.webhooks::jsonb = webhook.recipients(acme(), e.lead_id)::jsonb
    from admin.leads_to_erase(acme(), lead('ada@example.com')) as e),
  true, 'leads_to_erase lists it'
);
update webhook.endpoint set url = 'https://other.example.com/' where name = 'values';
delete from webhook.endpoint where name = 'ids';
select age_deliveries('1 minute');
select settle_deliveries('delivered')::text;
select is(listed('ada@example.com') #>> '{0,host}', 'other.example.com', 'the host of the last attempt');
select is(
  (select listed('ada@example.com') #>> '{0,last_at}' >= listed('ada@example.com') #>> '{0,first_at}'), true, 'with its times'
);
select queue_deliveries();
delete from webhook.endpoint where name = 'values';
select is(jsonb_array_length(listed('ada@example.com')), 1, 'it is kept when the webhook is deleted');

create temporary table erasure as select * from admin.erase_lead(acme(), lead('ada@example.com'));
select is((select e.webhooks #>> '{0,host}' from erasure as e), 'other.example.com', 'the erasure returns it');
select is(
  (select e.payload -> 'webhooks' -> 0 ->> 'host' from audit.event as e where e.action = 'lead.erased'), 'other.example.com',
  'and records it'
);
select is(listed('ada@example.com'), '[]', 'and forgets it');
select is(jsonb_array_length(listed('bea@example.com')), 1, 'that of another lead is kept');

-- A webhook that is told of the erasure gets no values.
select make_webhook('values', 'values', '{lead.erased,lead.read}')::text;
select admin.erase_lead(acme(), lead('bea@example.com'))::text;
select queue_deliveries();
select settle_deliveries('delivered')::text;
select is(
  array[(select count(*) from webhook.delivery as d where d.state = 'delivered' and d.action = 'lead.erased'),
    (select count(*) from webhook.recipient)],
  '{1,0}', 'the message about the erasure has no values'
);

select * from finish();
rollback;
