begin;
select plan(5);

select act_as('alice');
select keep('made', api.create_lead('{"email": "ada@example.com", "pain_points": "damp"}'));

select is((kept('made')).status, 201, 'the status');
select is(
  (kept('made')).headers ->> 'Location', '/api/v1/leads/' || lead('ada@example.com'), 'where the lead is'
);
select is(
  (kept('made')).headers ->> 'ETag', (api.get_lead(lead('ada@example.com'))).headers ->> 'ETag',
  'the tag that GET gives'
);
select is(
  array(select json_object_keys((kept('made')).body::json)),
  array[
    'id', 'organization_id', 'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'industry',
    'company_size', 'created_at', 'updated_at'
  ],
  'the fields in their order'
);
select is((kept('made')).body, (api.list_leads()).body::json -> 'data' ->> 0, 'as a list shows them');

select * from finish();
rollback;
