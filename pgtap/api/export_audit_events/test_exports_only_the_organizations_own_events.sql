begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "own@example.com"}');
select act_as('bob');
select made_lead('{"email": "foreign@example.com"}');

select act_as('alice', 'read');
select is(
  (api.export_audit_events(action => '{lead.created}')).body,
  ((api.list_audit_events(action => '{lead.created}')).body::json -> 'data' -> 0)::text || E'\n{"complete":true,"rows":1}\n',
  'the event as the list shows it, and the line that says that it is complete'
);
select unalike((api.export_audit_events()).body, '%foreign%', 'no event of another organization');
select matches(
  (api.export_audit_events('csv', action => '{lead.created}')).body,
  E'^id,organization_id,action,source,correlation_id,payload,created_at\r\n[^\n]*,lead\\.created,api,[^\n]*,"\\{""lead_id""[^\n]*\r\n# complete,1,{5}\r\n$',
  'the same as CSV'
);
select throws_ok(
  $$select api.export_audit_events(action => '{x}', source => '{y}')$$, 'PT422', 'validation_failed', 'filters that no event can have'
);

select * from finish();
rollback;
