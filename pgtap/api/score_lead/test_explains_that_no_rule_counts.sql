begin;
select plan(1);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select is(
  (api.score_lead(lead('ada@example.com'))).body::json ->> 'ai_reasoning',
  'No rule of the scoring model counts: this is its base, 0.55.'
);

select * from finish();
rollback;
