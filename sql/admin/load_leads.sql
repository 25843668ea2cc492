-- admin.load_leads - inserts leads with times in the past.
set local role leads_jobs;

create or replace function admin.load_leads(organization_id uuid, leads jsonb)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(load_leads.organization_id)).organization_id;
  v_count integer;
begin
  insert into app.lead (
    id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning, phone, reference, details, qualification_completed_at, created_at, updated_at
  )
  select
    coalesce(l.id, app.new_id()), v_organization_id, l.name, l.company, l.email, l.source, l.lead_score, l.pipeline_stage, l.industry, l.company_size,
    l.pain_points, l.timeline, l.budget_range, l.ai_reasoning, l.phone, l.reference, l.details, l.qualification_completed_at, l.created_at, l.updated_at
  from jsonb_populate_recordset(null::app.lead, load_leads.leads) as l;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

comment on function admin.load_leads(uuid, jsonb) is
  'Inserts leads without changing them, and returns their number. leads: a JSON array of objects with the fields of '
  'api.lead, and phone, reference and details. Raises PT404 organization_not_found, and violations of the table''s constraints.';

grant execute on function admin.load_leads(uuid, jsonb) to leads_operator;
