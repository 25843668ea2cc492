-- audit.event_etag - computes the entity tag of an event.
set local role leads_owner;

create or replace function audit.event_etag(payload_digest bytea, salt bytea)
returns text language sql stable parallel safe
begin atomic
  -- An erasure removes the salt and keeps the digest.
  select '"' || encode(substr(payload_digest, 1, 8), 'hex') || case when salt is null then 'e' else '' end
    || '.' || api.schema_version() || '"';
end;

comment on function audit.event_etag(bytea, bytea) is
  'A strong entity tag (RFC 9110, section 8.8.3). It changes when the event''s values are erased.';

grant execute on function audit.event_etag(bytea, bytea) to leads_exec;
