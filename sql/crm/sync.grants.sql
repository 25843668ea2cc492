-- crm.sync - the privileges on the table.
set local role leads_owner;
revoke all on crm.sync
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on crm.sync to leads_exec;

grant
  select,
  insert (organization_id, lead_id, vendor, account, status, error_code, error, run_at, email_key),
  update (
    status, external_id, error_code, error, run_at, leased_by, attempts, begun_at, begun_after, email_key,
    last_synced_at
  )
on crm.sync to leads_jobs;

-- admin.load_history
grant insert (id, external_id, attempts, begun_at, last_synced_at, created_at) on crm.sync to leads_jobs;

grant select, update (organization_id), delete on crm.sync to leads_eraser;

-- The columns that the view of schema bi shows. Analysts have no USAGE on schema crm.
grant select (
  id, organization_id, lead_id, vendor, status, error_code, attempts, last_synced_at, created_at
) on crm.sync to leads_bi;
