begin;
select plan(5);

select act_as('alice');
select keep('made', api.create_lead('{"email": "ada@example.com", "pain_points": "damp"}'));

select is((kept('made')).status, 201, 'the status');
select is(
  (kept('made')).headers ->> 'Location', '/api/v1/leads/' || lead('ada@example.com'), 'the location of the lead'
);
select is(
  (kept('made')).headers ->> 'ETag', (api.get_lead(lead('ada@example.com'))).headers ->> 'ETag',
  'the ETag of a GET'
);
select is(
  array(select json_object_keys((kept('made')).body::json)),
  array[
    'id', 'organization_id', 'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'industry',
    'company_size', 'created_at', 'updated_at'
  ],
  'the fields in their order'
);
select is((kept('made')).body, (api.list_leads()).body::json -> 'data' ->> 0, 'the same fields as in a list');

select * from finish();
rollback;
