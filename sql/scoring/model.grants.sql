-- scoring.model - the privileges on the table.
set local role leads_owner;
revoke all on scoring.model
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on scoring.model to leads_exec, leads_intake;
grant select, insert (organization_id, version, document), update (state, document, activated_at) on scoring.model
to leads_jobs;

-- admin.load_history
grant insert (state, created_at, activated_at) on scoring.model to leads_jobs;

grant select (organization_id), delete on scoring.model to leads_eraser;

-- audit.delete_rows
grant select (version) on scoring.model to leads_eraser;
