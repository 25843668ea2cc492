begin;
select plan(1);

select act_as('alice');
select is(
  faults($$
    select api.create_lead('{
      "id": 1, "nickname": "A", "name": " ", "email": "ada", "source": "Google Ads", "lead_score": 101,
      "pipeline_stage": "lukewarm", "industry": 5
    }')
  $$),
  array[
    'email invalid_email', 'id read_only_field', 'industry wrong_type', 'lead_score out_of_range', 'name blank',
    'nickname unknown_field', 'pipeline_stage unknown_stage', 'source invalid_name'
  ],
  'all eight errors'
);

select * from finish();
rollback;
