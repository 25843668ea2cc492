-- audit.tg_signal__record - records every change of a signal in the audit log.
set local role leads_audit;

create or replace function audit.tg_signal__record()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_diff text;
begin
  -- On INSERT, old is all null; on DELETE, new is.
  v_diff := concat_ws(
    ',',
    case when old.type is distinct from new.type then
      '"type":' || json_build_object('from', old.type, 'to', new.type) end,
    case when old.value is distinct from new.value then
      '"value":' || json_build_object('from', old.value, 'to', new.value) end,
    case when old.observed_at is distinct from new.observed_at then
      '"observed_at":' || json_build_object(
        'from', app.utc_text(old.observed_at), 'to', app.utc_text(new.observed_at)
      ) end,
    case when old.dedupe_key is distinct from new.dedupe_key then
      '"dedupe_key":' || json_build_object('from', old.dedupe_key, 'to', new.dedupe_key) end
  );
  if tg_op = 'UPDATE' and v_diff = '' then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case tg_op when 'INSERT' then 'signal.created' when 'UPDATE' then 'signal.updated' else 'signal.deleted' end,
    coalesce(new.lead_id, old.lead_id),
    concat(
      '"lead_id":"', coalesce(new.lead_id, old.lead_id), '","signal_id":"', coalesce(new.id, old.id), '","diff":{',
      v_diff, '}'
    )
  );
  return null;
end $$;

comment on function audit.tg_signal__record() is
$$Trigger: writes signal.created, signal.updated or signal.deleted.

The payload's diff has {"field": {"from": …, "to": …}} for each changed field: type, value, observed_at and dedupe_key.$$;

grant execute on function audit.tg_signal__record() to leads_owner;
