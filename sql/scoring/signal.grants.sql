-- scoring.signal - the privileges on the table.
set local role leads_owner;
revoke all on scoring.signal
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert (id, organization_id, lead_id, type, value, observed_at, dedupe_key) on scoring.signal
to leads_exec, leads_intake, leads_jobs;

-- admin.load_history
grant insert (created_at) on scoring.signal to leads_jobs;

grant select (organization_id, lead_id), delete on scoring.signal to leads_eraser;

-- The columns that the view of schema bi shows. Analysts have no USAGE on schema scoring.
grant select (
  id, organization_id, lead_id, type, value, observed_at, dedupe_key, created_at
) on scoring.signal to leads_bi;

-- audit.delete_rows
grant select (id) on scoring.signal to leads_eraser;
