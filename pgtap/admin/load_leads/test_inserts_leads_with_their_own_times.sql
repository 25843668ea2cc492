begin;
select plan(4);

select act_as('operator');
select is(
  admin.load_leads(organization('alice'), '[
    {
      "email": "ada@example.com", "name": "Ada", "lead_score": 87, "pipeline_stage": "qualified",
      "created_at": "2026-01-01T00:00:00.001Z",
      "updated_at": "2026-01-02T00:00:00.002Z", "qualification_completed_at": "2026-01-01T12:00:00.003Z",
      "organization_id": "00000000-0000-7000-8000-000000000000", "revision": 9
    },
    {
      "name": "Eve", "company": "Acme", "lead_score": 0, "pipeline_stage": "new", "created_at": "2026-01-03T00:00:00Z",
      "updated_at": "2026-01-03T00:00:00Z"
    }
  ]'),
  2,
  'the number of leads'
);
select act_as('alice');
select is(
  (api.get_lead(lead('ada@example.com'))).body::jsonb
    - '{id,company,source,industry,company_size,pain_points,timeline,budget_range,ai_reasoning}'::text[],
  jsonb_build_object('organization_id', organization('alice')) || '{
    "email": "ada@example.com", "name": "Ada", "lead_score": 87, "pipeline_stage": "qualified",
    "created_at": "2026-01-01T00:00:00.001Z",
    "updated_at": "2026-01-02T00:00:00.002Z", "qualification_completed_at": "2026-01-01T12:00:00.003Z"
  }',
  'the values are unchanged, and the organization is the argument''s'
);
select is(
  json_array_length((api.list_audit_events(action => '{lead.created}', source => '{system}')).body::json -> 'data'), 2,
  'each lead is recorded'
);
select act_as('operator');
select throws_ok(
  $$
    select admin.load_leads(organization('alice'), '[{
      "name": "Eve", "lead_score": 0, "pipeline_stage": "new", "created_at": "2026-01-03T00:00:00Z",
      "updated_at": "2026-01-03T00:00:00Z"
    }]')
  $$,
  '23514', 'new row for relation "lead" violates check constraint "lead_has_email_or_name_and_company_or_phone"',
  'the table''s constraints apply'
);

select * from finish();
rollback;
