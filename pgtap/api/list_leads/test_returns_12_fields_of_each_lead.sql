begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "pain_points": "damp"}');
select is(
  array(select json_object_keys((api.list_leads()).body::json -> 'data' -> 0)),
  array[
    'id', 'organization_id', 'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'industry',
    'company_size', 'created_at', 'updated_at'
  ],
  'the fields in their order'
);
select is(array(select json_object_keys((api.list_leads()).body::json)), array['data', 'next_cursor'], 'the fields of a page');

select * from finish();
rollback;
