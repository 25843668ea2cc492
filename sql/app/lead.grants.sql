-- app.lead - the privileges on the table.
set local role leads_owner;
revoke all on app.lead from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant
  select,
  insert (
    id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning, phone, reference, details
  ),
  update (
    name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points, timeline,
    budget_range, ai_reasoning, score_id, phone, reference, details
  )
on app.lead to leads_exec;

-- The functions of forms. The score is written by the trigger of scoring.score.
grant
  select,
  insert (
    organization_id, name, company, email, source, pipeline_stage, industry, company_size, pain_points, timeline,
    budget_range, phone, reference, details
  ),
  update (
    name, company, email, industry, company_size, pain_points, timeline, budget_range, phone, details, lead_score,
    ai_reasoning, score_id
  )
on app.lead to leads_intake;

grant select, insert (
  id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline, budget_range, ai_reasoning, phone, reference, details, qualification_completed_at, won_at, lost_at,
  first_contacted_at, created_at, updated_at
) on app.lead to leads_jobs;

-- admin.fill_lead_stage_times
grant update (won_at, lost_at, first_contacted_at) on app.lead to leads_jobs;

-- admin.fill_lead_items and admin.fill_phone_keys: the trigger _500_stamp replaces the value that is written.
-- admin.replay_submissions and admin.import_leads: the other columns.
grant update (
  item, phone_key, name, company, email, source, pipeline_stage, industry, company_size, pain_points, timeline,
  budget_range, phone, reference, details, lead_score, ai_reasoning, score_id
) on app.lead to leads_jobs;

-- The columns that the views of schema bi show. Analysts have no USAGE on schema app.
grant select (
  id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline, budget_range, ai_reasoning, phone, phone_key, reference, details, qualification_completed_at, won_at, lost_at,
  first_contacted_at, created_at, updated_at
) on app.lead to leads_bi;

-- leads erase locks the row, which requires UPDATE on a column. organization_id never changes.
grant select (organization_id, id, pipeline_stage, email, phone_key), update (organization_id), delete on app.lead to leads_eraser;
