-- audit.event_item - converts an event to the API's format.
set local role leads_owner;

create or replace function audit.event_item(event audit.event)
returns api.audit_event
language sql
stable
parallel safe
begin atomic
  select row(
    event.id, event.organization_id, event.action, event.source, event.correlation_id, event.payload,
    app.utc_text(event.created_at)
  )::api.audit_event;
end;

comment on function audit.event_item(audit.event) is 'The seven fields of an event, in the order of the body.';

grant execute on function audit.event_item(audit.event) to leads_exec;
