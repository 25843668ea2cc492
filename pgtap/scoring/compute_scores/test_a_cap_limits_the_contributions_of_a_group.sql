begin;
select plan(3);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.create_signals(
  lead('ada@example.com'), '{"signals": [{"type": "a"}, {"type": "b"}, {"type": "c"}, {"type": "d"}]}'
);
select act_as('dba');
create function test.capped()
returns table (lead_score integer, ai_reasoning text)
language sql
as $$
select s.lead_score, s.ai_reasoning
from admin.try_scoring_model(organization('alice'), lead('ada@example.com'), null, '{
  "base": 0.5,
  "groups": {"g": {"cap": 0.25}},
  "rules": [
    {"name": "c", "signal": "c", "label": "C", "weight": 0.05, "group": "g"},
    {"name": "b", "signal": "b", "label": "B", "weight": 0.20, "group": "g"},
    {"name": "a", "signal": "a", "label": "A", "weight": 0.20, "group": "g"},
    {"name": "d", "signal": "d", "label": "D", "weight": -0.10, "group": "g"},
    {"name": "none", "signal": "none", "operator": "absent", "label": "nothing", "weight": 0.07}
  ]
}') as s
$$;
select act_as('operator');
select is((capped()).ai_reasoning, 'B (+0.20); nothing (+0.07); A (+0.05); D (-0.10)', 'strongest first');
select is((capped()).lead_score, 72, 'the score is their sum');
select is(
  (admin.try_scoring_model(organization('alice'), lead('ada@example.com'), null, '{
    "base": 0.9, "rules": [{"name": "a", "signal": "a", "label": "A", "weight": 0.5}]
  }')).lead_score,
  100, 'at most 100'
);

select * from finish();
rollback;
