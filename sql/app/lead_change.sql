-- app.lead_change - a lead as the answer to PATCH shows it.
set local role leads_owner;

create or replace function app.lead_change(lead app.lead_values)
returns api.lead_change language sql stable parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, app.utc_text(lead.updated_at)
  )::api.lead_change;
end;

comment on function app.lead_change(app.lead_values) is 'The 9 fields of a lead that the answer to PATCH shows, in the order of the body.';

grant execute on function app.lead_change(app.lead_values) to leads_exec;
