begin;
select plan(9);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "phone": "555 010 0199", "reference": "r-1", "details": {"a": 1, "b": 2}}');
select keep('patch', api.update_lead_details(lead('ada@example.com'), '{"phone": null, "details": {"a": null, "c": true}}'));
select is(
  (kept('patch')).body::jsonb - 'updated_at' - 'id', '{"phone": null, "reference": "r-1", "details": {"b": 2, "c": true}}',
  'a merge patch'
);
select is((kept('patch')).headers ->> 'ETag', (api.get_lead(lead('ada@example.com'))).headers ->> 'ETag', 'the ETag of a GET');
select is(
  (api.update_lead_details(lead('ada@example.com'), '{"details": null}')).body::jsonb -> 'details', '{}', 'null removes all'
);
select keep('same', api.update_lead_details(lead('ada@example.com'), '{"reference": "r-1"}'));
select is(
  (kept('same')).headers ->> 'ETag', (api.get_lead(lead('ada@example.com'))).headers ->> 'ETag', 'a patch that changes nothing'
);
select throws_ok(
  $$select api.update_lead_details(lead('ada@example.com'), '{"phone": "1"}', '"1.0"')$$, 'PT422', 'validation_failed',
  'the fields are checked before If-Match'
);
select throws_ok(
  $$select api.update_lead_details(lead('ada@example.com'), '{"phone": "911"}', '"1.0"')$$, 'PT412', 'precondition_failed',
  'an old tag'
);
select throws_ok(
  $$select api.update_lead_details(lead('ada@example.com'), '{"name": "Ada"}')$$, 'PT422', 'validation_failed',
  'it does not change the other fields'
);
select throws_ok(
  $$select api.update_lead(lead('ada@example.com'), '{"phone": "911"}')$$, 'PT422', 'validation_failed',
  'PATCH /leads/{id} does not change the phone'
);
select act_as('bob');
select ok(
  api.update_lead_details(lead('ada@example.com'), '{"phone": "911"}') is null, 'a lead of another organization is not found'
);

select * from finish();
rollback;
