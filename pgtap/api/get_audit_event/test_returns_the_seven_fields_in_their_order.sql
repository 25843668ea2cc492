begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select keep('list', api.list_audit_events(1));
select keep('event', api.get_audit_event(((kept('list')).body::json -> 'data' -> 0 ->> 'id')::uuid));

select is(
  array(select json_object_keys((kept('event')).body::json)),
  array['id', 'organization_id', 'action', 'source', 'correlation_id', 'payload', 'created_at'],
  'the fields'
);
select is((kept('event')).body, (kept('list')).body::json -> 'data' ->> 0, 'the same event as in a list');
select is(
  (kept('event')).body::jsonb - '{id,payload,created_at}'::text[],
  jsonb_build_object(
    'organization_id', organization('alice'), 'action', 'lead.created', 'source', 'api', 'correlation_id', 'a-request'
  ),
  'their values'
);
select ok(
  ((kept('event')).body::json ->> 'created_at')::timestamptz
    between date_trunc('milliseconds', now()) and clock_timestamp(),
  'the time of the event'
);
select matches((kept('event')).headers ->> 'ETag', '^"[0-9a-f]{16}\.\d+"$', 'a strong ETag');

select * from finish();
rollback;
