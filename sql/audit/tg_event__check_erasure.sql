-- audit.tg_event__check_erasure - allows an event to be erased, and refuses every other change.
set local role leads_owner;

create or replace function audit.tg_event__check_erasure()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if
    new.payload::text = audit.erased_payload(old.payload)::text
    and new.salt is null
    and (
      new.id, new.organization_id, new.action, new.source, new.correlation_id, new.lead_id, new.payload_digest,
      new.created_at
    ) is not distinct from (
      old.id, old.organization_id, old.action, old.source, old.correlation_id, old.lead_id, old.payload_digest,
      old.created_at
    )
  then
    return new;
  end if;
  raise sqlstate 'PT409' using
    message = 'refused',
    hint = 'An erasure sets payload to audit.erased_payload(payload) and salt to null, and changes nothing else.';
end $$;

comment on function audit.tg_event__check_erasure() is
$$Trigger: allows an update only if it sets payload to audit.erased_payload(payload) and salt to null, and nothing else.

Raises PT409 refused.$$;
