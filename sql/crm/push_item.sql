-- crm.push_item - a push with its attempts, as the API shows it.
set local role leads_jobs;

create or replace function crm.push_item(sync crm.sync_values, attempts api.crm_attempt[])
returns api.crm_push language sql stable parallel safe
begin atomic
  select row(
    (sync).vendor, (sync).account, (sync).status, (sync).external_id, (sync).error_code, (sync).error,
    app.utc_text((sync).last_synced_at), app.utc_text((sync).created_at), attempts
  )::api.crm_push;
end;

comment on function crm.push_item(crm.sync_values, api.crm_attempt[]) is
  'The nine fields of a push, in the order of the body. attempts: its attempts in this form.';

grant execute on function crm.push_item(crm.sync_values, api.crm_attempt[]) to leads_exec;
