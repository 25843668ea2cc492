begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "pain_points": "damp"}');
select keep('patch', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "won", "lead_score": 92}'));
select keep('get', api.get_lead(lead('ada@example.com')));

select is(
  array(select json_object_keys((kept('patch')).body::json)),
  array[
    'id', 'organization_id', 'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'updated_at'
  ],
  'the fields in their order'
);
select ok((kept('get')).body::jsonb @> (kept('patch')).body::jsonb, 'the values of a GET');
select is((kept('patch')).body::json ->> 'lead_score', '92', 'the new values');
select is((kept('patch')).headers ->> 'ETag', (kept('get')).headers ->> 'ETag', 'the ETag of a GET');

select * from finish();
rollback;
