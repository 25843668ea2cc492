-- crm.attempt - the privileges on the table.
set local role leads_owner;
revoke all on crm.attempt
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant
  select,
  insert (organization_id, sync_id, number, connection_revision),
  update (email, display_name, sent_at, outcome, http_status, message)
on crm.attempt to leads_jobs;

-- admin.load_history
grant insert (outcome, message, created_at) on crm.attempt to leads_jobs;

-- api.get_lead_everything
grant select (
  organization_id, sync_id, number, email, display_name, sent_at, outcome, message, created_at
) on crm.attempt to leads_exec;

grant select, delete on crm.attempt to leads_eraser;
