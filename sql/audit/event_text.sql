-- audit.event_text - the JSON text of audit.event_item, for a list. It is cheaper than row_to_json.
set local role leads_owner;

create or replace function audit.event_text(
  id uuid,
  organization_id uuid,
  action text,
  source text,
  correlation_id text,
  payload json,
  created_at timestamptz
)
returns text language sql stable parallel safe
begin atomic
  -- A source is one of four words.
  select '{"id":"' || id || '","organization_id":"' || organization_id || '","action":' || to_json(action)::text
    || ',"source":"' || source || '","correlation_id":' || coalesce(to_json(correlation_id)::text, 'null')
    || ',"payload":' || payload::text || ',"created_at":"' || app.utc_text(created_at) || '"}';
end;

comment on function audit.event_text(uuid, uuid, text, text, text, json, timestamptz) is
  'The same bytes as row_to_json prints of audit.event_item. Only correlation_id may be null.';

grant execute on function audit.event_text(uuid, uuid, text, text, text, json, timestamptz) to leads_exec, leads_jobs;
