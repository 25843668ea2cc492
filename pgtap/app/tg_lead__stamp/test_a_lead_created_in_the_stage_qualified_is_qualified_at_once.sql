begin;
select plan(1);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "pipeline_stage": "qualified"}');
select is(
  (api.get_lead(lead('ada@example.com'))).body::json ->> 'qualification_completed_at',
  (api.get_lead(lead('ada@example.com'))).body::json ->> 'created_at',
  'at the time of its creation'
);

select * from finish();
rollback;
