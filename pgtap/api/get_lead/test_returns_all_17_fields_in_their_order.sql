begin;
select plan(5);

select act_as('alice');
select made_lead('{
  "name": "Sarah Mitchell", "email": "sarah@example.com", "source": "google_ads", "lead_score": 87,
  "pipeline_stage": "qualified", "industry": "residential", "pain_points": "Recurring basement moisture",
  "timeline": "this_week", "budget_range": "5k", "ai_reasoning": "High urgency", "company_size": "2"
}');
select keep('lead', api.get_lead(lead('sarah@example.com')));

select is(
  array(select json_object_keys((kept('lead')).body::json)),
  array[
    'id', 'organization_id', 'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'industry',
    'company_size', 'pain_points', 'timeline', 'budget_range', 'ai_reasoning', 'qualification_completed_at',
    'created_at', 'updated_at'
  ],
  'all fields, including those without a value'
);
select is(
  (kept('lead')).body::jsonb - '{qualification_completed_at,created_at,updated_at}'::text[],
  jsonb_build_object(
    'id', lead('sarah@example.com'), 'organization_id', organization('alice'), 'name', 'Sarah Mitchell',
    'company', null, 'email', 'sarah@example.com', 'source', 'google_ads', 'lead_score', 87,
    'pipeline_stage', 'qualified', 'industry', 'residential', 'company_size', '2',
    'pain_points', 'Recurring basement moisture', 'timeline', 'this_week', 'budget_range', '5k',
    'ai_reasoning', 'High urgency'
  ),
  'each field has its value'
);
select is(
  (kept('lead')).body::jsonb -> f.name,
  to_jsonb(to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
  f.name || ' in UTC, with milliseconds'
)
from (values ('qualification_completed_at'), ('created_at'), ('updated_at')) as f (name);

select * from finish();
rollback;
