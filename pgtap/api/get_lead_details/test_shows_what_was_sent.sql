begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "phone": " (555) 010-0199 ", "reference": "r-1", "details": {"b": 1, "a": "x", "c": null}}');
select made_lead('{"email": "plain@example.com"}');
select keep('details', api.get_lead_details(lead('ada@example.com')));
select is(
  (kept('details')).body::jsonb - 'updated_at',
  jsonb_build_object('id', lead('ada@example.com'), 'phone', '(555) 010-0199', 'reference', 'r-1', 'details', '{"a": "x", "b": 1}'::jsonb),
  'the values, without null'
);
select is(
  array(select json_object_keys((kept('details')).body::json)), array['id', 'phone', 'reference', 'details', 'updated_at'],
  'the members in their order'
);
select is(
  (kept('details')).headers ->> 'ETag', (api.get_lead(lead('ada@example.com'))).headers ->> 'ETag', 'the ETag of the lead'
);
select is(
  (api.get_lead_details(lead('plain@example.com'))).body::jsonb - 'updated_at' - 'id',
  '{"phone": null, "reference": null, "details": {}}', 'a lead without them'
);
select act_as('bob', 'read');
select ok(api.get_lead_details(lead('ada@example.com')) is null, 'a lead of another organization is not found');

select * from finish();
rollback;
