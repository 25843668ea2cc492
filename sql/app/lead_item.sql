-- app.lead_item - a lead as a list and the answer to POST show it.
set local role leads_owner;

create or replace function app.lead_item(lead app.lead_values)
returns api.lead_item language sql stable parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, lead.industry, lead.company_size, app.utc_text(lead.created_at), app.utc_text(lead.updated_at)
  )::api.lead_item;
end;

comment on function app.lead_item(app.lead_values) is 'The 12 fields of a lead that a list shows, in the order of the body.';

grant execute on function app.lead_item(app.lead_values) to leads_exec, leads_jobs, leads_intake;
