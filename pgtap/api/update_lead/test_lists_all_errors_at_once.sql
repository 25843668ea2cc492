begin;
select plan(1);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select is(
  faults($$
    select api.update_lead(lead('ada@example.com'), '{
      "created_at": "2026-01-01", "nickname": "A", "name": " ", "email": "ada", "source": "Google Ads",
      "lead_score": null,
      "pipeline_stage": null, "industry": 5
    }')
  $$),
  array[
    'created_at read_only_field', 'email invalid_email', 'industry wrong_type', 'lead_score not_nullable', 'name blank',
    'nickname unknown_field', 'pipeline_stage not_nullable', 'source invalid_name'
  ],
  'all eight errors'
);

select * from finish();
rollback;
