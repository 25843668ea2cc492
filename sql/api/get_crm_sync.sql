-- api.get_crm_sync - GET /leads/{id}/crm-sync.
set local role leads_exec;

create or replace function api.get_crm_sync(id uuid)
returns api.answer language sql stable security definer
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

crm_sync is null if the lead was never pushed. status is pending, in_progress, ok, failed or skipped. A push is skipped
if the connection was paused when the lead entered the stage, if the lead did not have what the CRM requires, or if it came with
POST /leads/bulk or leads import without push. The audit log has the reason: lead.crm_push_failed or lead.crm_push_skipped.$$;

grant execute on function api.get_crm_sync(uuid) to leads_api;

set local role leads_owner;
call api.document('api.get_crm_sync', tag => 'CRM', answer => 'api.lead_sync');
