-- app.lead_details - the details of a lead, as the API shows them.
set local role leads_owner;

create or replace function app.lead_details(lead app.lead_values)
returns api.lead_details language sql stable parallel safe
begin atomic
  select row(
    lead.id, lead.phone, lead.reference, coalesce(lead.details::json, '{}'), app.utc_text(lead.updated_at)
  )::api.lead_details;
end;

comment on function app.lead_details(app.lead_values) is 'The five members of the body of /leads/{id}/details, in their order.';

grant execute on function app.lead_details(app.lead_values) to leads_exec;
