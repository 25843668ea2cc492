begin;
select plan(3);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.score_lead(lead('ada@example.com'));
select api.update_lead(lead('ada@example.com'), '{"lead_score": 3, "ai_reasoning": "a hunch"}');
select is(
  (api.get_lead(lead('ada@example.com'))).body::jsonb - 'lead_score' ->> 'ai_reasoning', 'a hunch', 'the value that the client has set'
);
select api.score_lead(lead('ada@example.com'));
select is((api.get_lead(lead('ada@example.com'))).body::json ->> 'lead_score', '55', 'scored again');
select keep('history', api.list_scores(lead('ada@example.com')));
select act_as('dba');
select set_eq(
  $$
    select h.kind, h.lead_score, h.ai_reasoning, h.model, h.model_version, h.base
    from json_to_recordset((kept('history')).body::json -> 'data')
      as h (kind text, lead_score integer, ai_reasoning text, model text, model_version integer, base numeric)
  $$,
  $$
    values
      ('scored', 55, 'No rule of the scoring model counts: this is its base, 0.55.', 'default', 1, 0.55),
      ('set', 3, 'a hunch', null, null, null)
  $$,
  'the history shows both kinds'
);

select * from finish();
rollback;
