begin;
select plan(3);

select act_as('bob');
select made_lead('{"email": "bob@example.com"}');
select act_as('alice');
select made_lead('{"email": "alice@example.com"}');

select is(
  array(
    select distinct (e ->> 'organization_id')::uuid
    from (values
      (api.list_audit_events(200)),
      (api.list_audit_events(200, action => '{lead.created}')),
      (api.list_audit_events(200, source => '{api,sql,system}')),
      (api.list_audit_events(200, lead_id => lead('bob@example.com')))
    ) as a (answer)
    cross join json_array_elements((a.answer).body::json -> 'data') as e
  ),
  array[organization('alice')],
  'with every filter'
);
select is(
  (api.list_audit_events(lead_id => lead('bob@example.com'))).body, '{"data":[],"next_cursor":null}',
  'another organization''s lead has no events'
);
select act_as('stranger');
select is((api.list_audit_events()).body, '{"data":[],"next_cursor":null}', 'without a key');

select * from finish();
rollback;
