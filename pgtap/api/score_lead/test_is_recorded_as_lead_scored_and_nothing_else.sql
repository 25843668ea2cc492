begin;
select plan(3);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.score_lead(lead('ada@example.com'));
select api.score_lead(lead('ada@example.com'));

select act_as('dba');
select results_eq(
  $$select e.action from audit.event as e where e.lead_id = lead('ada@example.com') order by e.id$$,
  array['lead.created', 'lead.scored', 'lead.scored']
);
select is(
  (
    select e.payload::jsonb - 'key_id' - 'score_id'
    from audit.event as e where e.action = 'lead.scored' order by e.id limit 1
  ),
  jsonb_build_object(
    'lead_id', lead('ada@example.com'),
    'diff', '{
      "lead_score": {"from": 0, "to": 55},
      "ai_reasoning": {"from": null, "to": "No rule of the scoring model counts: this is its base, 0.55."}
    }'::jsonb
  ),
  'the event has the diff'
);
select is(
  (select e.payload::jsonb -> 'diff' from audit.event as e where e.action = 'lead.scored' order by e.id desc limit 1),
  '{}', 'the diff is empty if nothing has changed'
);

select * from finish();
rollback;
