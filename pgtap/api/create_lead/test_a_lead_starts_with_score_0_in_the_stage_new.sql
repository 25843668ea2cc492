begin;
select plan(4);

select act_as('alice');
select is((api.create_lead('{"email": "ada@example.com"}')).body::json ->> 'lead_score', '0', 'the score');
select is((api.create_lead('{"email": "ada@example.com"}')).body::json ->> 'pipeline_stage', 'new', 'the stage');
select is(
  (
    api.create_lead('{"email": "ada@example.com", "lead_score": 87, "pipeline_stage": "won"}')
  ).body::json ->> 'lead_score',
  '87',
  'a score in the request'
);
select is(
  (
    api.create_lead('{"email": "ada@example.com", "lead_score": 87, "pipeline_stage": "won"}')
  ).body::json ->> 'pipeline_stage',
  'won',
  'a stage in the request'
);

select * from finish();
rollback;
