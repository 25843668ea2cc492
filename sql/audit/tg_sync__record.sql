-- audit.tg_sync__record - records the request and the result of a push in the audit log.
set local role leads_audit;

create or replace function audit.tg_sync__record()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_row crm.sync := case when tg_op = 'DELETE' then old else new end;
  v_action text := case
    when tg_op = 'DELETE' then 'crm_sync.deleted'
    when tg_op = 'UPDATE' and new.status in ('pending', 'in_progress') and old.status in ('pending', 'in_progress') then null
    when tg_op = 'UPDATE' and new.status = old.status then
      case
        when (old.external_id, old.error_code, old.error, old.last_synced_at)
          is distinct from (new.external_id, new.error_code, new.error, new.last_synced_at) then 'crm_sync.updated'
      end
    when new.status in ('pending', 'in_progress') then 'lead.crm_push_requested'
    when new.status = 'ok' then 'lead.crm_pushed'
    when new.status = 'failed' then 'lead.crm_push_failed'
    when new.status = 'skipped' then 'lead.crm_push_skipped'
  end;
begin
  -- Leases and delays are not recorded here: crm.attempt has them.
  if v_action is null then
    return null;
  end if;
  perform audit.write_event(
    v_row.organization_id,
    v_action,
    v_row.lead_id,
    concat_ws(
      ',',
      '"lead_id":"' || v_row.lead_id || '"',
      '"sync_id":"' || v_row.id || '"',
      '"vendor":' || to_json(v_row.vendor),
      '"external_id":' || coalesce(to_json(v_row.external_id)::text, 'null'),
      '"attempts":' || v_row.attempts,
      '"error_code":' || to_json(v_row.error_code),
      case when v_row.error_code is not null then '"error":' || coalesce(to_json(v_row.error)::text, 'null') end
    )
  );
  return null;
end $$;

comment on function audit.tg_sync__record() is
$$Trigger: writes lead.crm_push_requested, lead.crm_pushed, lead.crm_push_failed or lead.crm_push_skipped when the status changes.

The payload has vendor, external_id and attempts; for the last two events also error_code and the vendor's message.
crm_sync.updated and crm_sync.deleted record changes that no function of this schema makes.$$;

grant execute on function audit.tg_sync__record() to leads_owner;
