-- audit.event_hash - computes the hash of one event, which its seal includes.
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
returns bytea language sql stable parallel safe
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
$$The SHA-256 of an event: 32 bytes.

The input is a JSON array in UTF-8, in the format of Python's json.dumps(…, ensure_ascii=False): the position in the chain,
id, organization_id, action, source, correlation_id, lead_id, payload_digest as hexadecimal digits, created_at.
The array has the payload's digest and not the payload, so that values can be erased while the chain stays valid.$$;

grant execute on function audit.event_hash(bigint, uuid, uuid, text, text, text, uuid, bytea, timestamptz)
to leads_exec, leads_jobs;
