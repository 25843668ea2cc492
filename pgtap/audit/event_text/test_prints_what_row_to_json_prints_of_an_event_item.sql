begin;
select plan(7);

set local timezone = 'Asia/Tokyo';
select is(
  audit.event_text(e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at),
  row_to_json(audit.event_item(e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at))::text,
  e.action
)
from (values
  (
    '00000000-0000-7000-8000-000000000001'::uuid, '00000000-0000-7000-8000-000000000002'::uuid, 'lead.created', 'api',
    'a-request', '{"lead_id":"1","diff":{"name":{"from":null,"to":"Ä 😀 \" \\"}}}'::json,
    '2026-04-27 13:22:05.114Z'::timestamptz
  ),
  (app.new_id(), app.new_id(), 'without a request', 'sql', null, '{}', '2026-04-27 13:22:05Z'),
  (app.new_id(), app.new_id(), 'the first year', 'worker', '', '{ "spaces" : [ 1.0, 1e2 ] }', '0001-01-01 00:00:00.001Z'),
  (app.new_id(), app.new_id(), 'the last year', 'system', 'x', '[]', '9999-12-31 23:59:59.999Z'),
  (app.new_id(), app.new_id(), E'any "action" \\ \n ä', 'api', E'any "id" \\ \t \x01 </script> 😀', 'null', now())
) as e (id, organization_id, action, source, correlation_id, payload, created_at);

-- The columns that must not be null, and the sources, are what the table guarantees.
select is(
  array(
    select a.attname::text
    from pg_attribute as a
    where
      a.attrelid = 'audit.event'::regclass and not a.attnotnull
      and a.attname in ('id', 'organization_id', 'action', 'source', 'correlation_id', 'payload', 'created_at')
  ),
  array['correlation_id'], 'only correlation_id may be null'
);
select is(
  (select pg_get_constraintdef(c.oid) from pg_constraint as c where c.conrelid = 'audit.event'::regclass and c.conname = 'event_source_is_known'),
  $$CHECK ((source = ANY (ARRAY['api'::text, 'sql'::text, 'worker'::text, 'system'::text])))$$,
  'no source needs an escape'
);

select * from finish();
rollback;
