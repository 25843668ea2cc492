begin;
select plan(2);

select act_as('alice');
select made_lead('{
  "name": "a", "company": "b", "email": "ada@example.com", "source": "d", "lead_score": 5,
  "pipeline_stage": "qualified",
  "industry": "f", "company_size": "g", "pain_points": "h", "timeline": "i", "budget_range": "j", "ai_reasoning": "k"
}');
select made_lead('{"email": "eve@example.com"}');
select act_as('dba');
select is(
  (
    select jsonb_build_object('action', e.action) || e.payload::jsonb
    from audit.event as e
    where e.lead_id = lead('ada@example.com')
  ),
  jsonb_build_object(
    'action', 'lead.created',
    'lead_id', lead('ada@example.com'), 'key_id', key_id('alice'),
    'diff', jsonb_build_object('qualification_completed_at', jsonb_build_object(
      'from', null, 'to', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    )) || jsonb '{
      "name": {"from": null, "to": "a"}, "company": {"from": null, "to": "b"},
      "email": {"from": null, "to": "ada@example.com"},
      "source": {"from": null, "to": "d"}, "lead_score": {"from": null, "to": 5}, "industry": {"from": null, "to": "f"},
      "pipeline_stage": {"from": null, "to": "qualified"}, "company_size": {"from": null, "to": "g"},
      "pain_points": {"from": null, "to": "h"}, "timeline": {"from": null, "to": "i"},
      "budget_range": {"from": null, "to": "j"},
      "ai_reasoning": {"from": null, "to": "k"}
    }'
  ),
  'all thirteen fields'
);
select is(
  (select e.payload::jsonb -> 'diff' from audit.event as e where e.lead_id = lead('eve@example.com')),
  '{
    "email": {"from": null, "to": "eve@example.com"}, "lead_score": {"from": null, "to": 0},
    "pipeline_stage": {"from": null, "to": "new"}
  }',
  'the defaults are included'
);

select * from finish();
rollback;
