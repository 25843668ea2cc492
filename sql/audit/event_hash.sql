-- audit.event_hash - an event's own hash, which its seal covers.
set local role leads_owner;

create or replace function audit.event_hash(
  "position" bigint,
  id uuid,
  organization_id uuid,
  action text,
  source text,
  correlation_id text,
  lead_id uuid,
  payload_digest bytea,
  created_at timestamptz
)
returns bytea
language sql
stable
parallel safe
begin atomic
  select sha256(
    convert_to(
      json_build_array(
        "position", id, organization_id, action, source, correlation_id, lead_id, encode(payload_digest, 'hex'),
        app.utc_text(created_at)
      )::text,
      'UTF8'
    )
  );
end;

comment on function audit.event_hash(bigint, uuid, uuid, text, text, text, uuid, bytea, timestamptz) is
$$SHA-256 of a JSON array in UTF-8, as Python's json.dumps(…, ensure_ascii=False) writes it: the position in the chain, id,
organization_id, action, source, correlation_id, lead_id, payload_digest in hexadecimal digits, created_at.

The payload is in it by its digest alone: so its values can be erased, and the chain holds.$$;

grant execute on function audit.event_hash(bigint, uuid, uuid, text, text, text, uuid, bytea, timestamptz)
to leads_exec, leads_jobs;
