begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select keep('list', api.list_audit_events(1));
select keep('event', api.get_audit_event(((kept('list')).body::json -> 'data' -> 0 ->> 'id')::uuid));

select is(
  array(select json_object_keys((kept('event')).body::json)),
  array['id', 'organization_id', 'action', 'source', 'correlation_id', 'payload', 'created_at'],
  'the fields'
);
select is((kept('event')).body, (kept('list')).body::json -> 'data' ->> 0, 'as a list shows it');
select is(
  (kept('event')).body::jsonb - '{id,payload}'::text[],
  jsonb_build_object(
    'organization_id', organization('alice'), 'action', 'lead.created', 'source', 'api', 'correlation_id', 'a-request',
    'created_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
  ),
  'their values'
);
select matches((kept('event')).headers ->> 'ETag', '^"[0-9a-f]{16}\.\d+"$', 'the tag is a strong one');

select * from finish();
rollback;
