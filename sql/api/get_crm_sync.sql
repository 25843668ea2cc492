-- api.get_crm_sync - GET /leads/{id}/crm-sync.
set local role leads_exec;

create or replace function api.get_crm_sync(id uuid)
returns api.answer
language sql
stable
security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(crm.sync_item(l.id, crm.sync_in_force(l.organization_id, l.id)))::text
  )::api.answer
  from app.lead as l
  where l.organization_id = (select auth.organization_id('read')) and l.id = get_crm_sync.id;
end;

comment on function api.get_crm_sync(uuid) is
$$Get the state of a lead's push.

crm_sync is null for a lead that was never pushed. status: pending, in_progress, ok, failed, or skipped (when it entered
the stage the connection was paused, or it lacked what the vendor needs). Why a push failed stands in the audit log:
lead.crm_push_failed, with the vendor's reason.$$;

grant execute on function api.get_crm_sync(uuid) to leads_api;
