-- app.lead_whole - a lead as GET /leads/{id} shows it.
set local role leads_owner;

create or replace function app.lead_whole(lead app.lead_values)
returns api.lead language sql stable parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, lead.industry, lead.company_size, lead.pain_points, lead.timeline, lead.budget_range,
    lead.ai_reasoning, app.utc_text(lead.qualification_completed_at), app.utc_text(lead.created_at),
    app.utc_text(lead.updated_at)
  )::api.lead;
end;

comment on function app.lead_whole(app.lead_values) is 'All 17 fields of a lead, in the order of the body.';

grant execute on function app.lead_whole(app.lead_values) to leads_exec, leads_jobs;
