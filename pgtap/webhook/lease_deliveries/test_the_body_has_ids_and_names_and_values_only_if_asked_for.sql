begin;
select plan(13);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('ids', 'ids', '{lead.updated,api_key.created}')::text;
select make_webhook('values', 'values', '{lead.updated,api_key.created}')::text;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com');
update app.lead set name = 'Ada', phone = '+49 30 1' where email = 'ada@example.com';
select queue_deliveries();

create temporary table leased as
select j.*, p.name from webhook.lease_deliveries('{k}', 64) as j
join webhook.endpoint as p on p.id = j.endpoint_id;
create temporary table event as
select e.*, s.position from audit.event as e
join audit.seal as s on s.event_id = e.id and s.created_at = e.created_at
where e.lead_id = lead('ada@example.com') and e.action = 'lead.updated';

select is(
  (select l.body::jsonb from leased as l where l.name = 'ids'),
  (
    select jsonb_build_object(
      'type', 'lead.updated', 'timestamp', app.utc_text(e.created_at),
      'data', jsonb_build_object(
        'id', e.id, 'organization_id', acme(), 'lead_id', lead('ada@example.com'), 'position', e.position,
        'fields', '["name", "phone"]'::jsonb
      )
    )
    from event as e
  ),
  'ids and names of fields'
);
select is(
  (select l.body::jsonb #- '{data,payload}' from leased as l where l.name = 'values'),
  (select l.body::jsonb from leased as l where l.name = 'ids'),
  'with values the same'
);
select is(
  (select l.body::jsonb #> '{data,payload}' from leased as l where l.name = 'values'), (select e.payload::jsonb from event as e),
  'and the payload of the event'
);
select matches((select l.body from leased as l where l.name = 'ids'), '^\{"type":"lead\.updated","timestamp":"', 'in this order');
select is(
  (select array_agg(l.url || ' ' || convert_from(l.secrets[1], 'UTF8') || ' ' || l.secret_keys[1] order by l.name) from leased as l),
  array[
    'https://ids.example.com/hook?key=secret the secret of ids k', 'https://values.example.com/hook?key=secret the secret of values k'
  ],
  'each has the address and the secret of its webhook'
);
select is((select bool_and(l.message_id = 'msg_' || l.delivery_id) from leased as l), true, 'the id of the message is that of the delivery');
select results_eq(
  'select r.lead_id, r.endpoint_id, r.host from webhook.recipient as r',
  $$values (lead('ada@example.com'), webhook('values'), 'values.example.com')$$,
  'the receiver of values is recorded'
);

-- A rotation.
update webhook.endpoint set secret = 'new', secret_key = 'k', previous_expires_at = now() + interval '1 hour' where name = 'ids';
select age_deliveries('15 seconds');
select is(
  (select (array(select convert_from(s, 'UTF8') from unnest(j.secrets) as s), j.secret_keys)::text
    from webhook.lease_deliveries('{k}', 64) as j where j.endpoint_id = webhook('ids')),
  '("{new,""the secret of ids""}","{k,k}")', 'the previous secret follows until it expires'
);
update webhook.endpoint set previous_expires_at = now() - interval '1 second' where name = 'ids';
select age_deliveries('15 seconds');
select is(
  (select (array(select convert_from(s, 'UTF8') from unnest(j.secrets) as s), j.secret_keys)::text
    from webhook.lease_deliveries('{k}', 64) as j where j.endpoint_id = webhook('ids')),
  '({new},{k})', 'and not afterwards'
);

-- An event that was erased, and one that was retired.
select admin.erase_lead(acme(), lead('ada@example.com'))::text;
delete from webhook.recipient;
select age_deliveries('15 seconds');
select is(
  (select l.body -> 'data' -> 'payload' -> 'diff' from lease_deliveries() as l where l.webhook = 'values'),
  '{"name": {"erased": true}, "phone": {"erased": true}}', 'an erased event has no values'
);
select is_empty('select * from webhook.recipient', 'nobody receives values of it');

alter table audit.event disable trigger user;
delete from audit.event where action = 'lead.updated';
alter table audit.event enable trigger user;
select age_deliveries('15 seconds');
select results_eq(
  $$select l.webhook, l.action, l.body -> 'data' ? 'payload', l.body -> 'data' -> 'fields' from lease_deliveries() as l order by l.webhook$$,
  $$values ('ids', 'lead.updated', false, '[]'::jsonb), ('values', 'lead.updated', false, '[]'::jsonb)$$,
  'an event that was retired has neither values nor names'
);

delete from webhook.delivery;
select admin.create_key(acme(), 'read', sha256('1'))::text;
select queue_deliveries();
select is(
  (select (l.body -> 'data' -> 'lead_id')::text || (l.body #>> '{data,payload,diff,scopes,to}') from lease_deliveries() as l where l.webhook = 'values'),
  'null["read"]', 'an event about no lead'
);

select * from finish();
rollback;
