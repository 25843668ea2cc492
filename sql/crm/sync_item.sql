-- crm.sync_item - a lead's sync as the API shows it.
set local role leads_jobs;

create or replace function crm.sync_item(lead_id uuid, sync crm.sync_values)
returns api.lead_sync language sql stable parallel safe
begin atomic
  select row(
    lead_id,
    case when (sync).id is not null then
      row((sync).vendor, (sync).external_id, (sync).status, app.utc_text((sync).last_synced_at))::api.crm_sync
    end
  )::api.lead_sync;
end;

comment on function crm.sync_item(uuid, crm.sync_values) is 'The lead''s id and the four fields of its sync; crm_sync is null if there is no sync.';

grant execute on function crm.sync_item(uuid, crm.sync_values) to leads_exec;
