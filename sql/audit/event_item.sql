-- audit.event_item - converts an event to the API's format.
set local role leads_owner;

create or replace function audit.event_item(
  id uuid,
  organization_id uuid,
  action text,
  source text,
  correlation_id text,
  payload json,
  created_at timestamptz
)
returns api.audit_event language sql stable parallel safe
begin atomic
  select row(id, organization_id, action, source, correlation_id, payload, app.utc_text(created_at))::api.audit_event;
end;

comment on function audit.event_item(uuid, uuid, text, text, text, json, timestamptz) is
  'The seven fields of an event, in the order of the body.';

grant execute on function audit.event_item(uuid, uuid, text, text, text, json, timestamptz) to leads_exec;
