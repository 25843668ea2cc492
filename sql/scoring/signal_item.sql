-- scoring.signal_item - a signal as the API shows it.
set local role leads_owner;

create or replace function scoring.signal_item(
  id uuid,
  organization_id uuid,
  lead_id uuid,
  type text,
  value jsonb,
  observed_at timestamptz,
  dedupe_key text,
  created_at timestamptz
)
returns api.signal language sql stable parallel safe
begin atomic
  select row(
    id, organization_id, lead_id, type, value::json, app.utc_text(observed_at), dedupe_key, app.utc_text(created_at)
  )::api.signal;
end;

comment on function scoring.signal_item(uuid, uuid, uuid, text, jsonb, timestamptz, text, timestamptz) is
  'The eight fields of a signal, in the order of the body.';

grant execute on function scoring.signal_item(uuid, uuid, uuid, text, jsonb, timestamptz, text, timestamptz) to leads_exec;
