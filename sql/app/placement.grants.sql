-- app.placement - the privileges on the table.
set local role leads_owner;
revoke all on app.placement
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select (organization_id, state) on app.placement to leads_eraser;
grant select (organization_id, state, is_fenced) on app.placement to leads_auth;
grant select (organization_id, state, cell, changed_in, is_fenced) on app.placement to leads_audit;
grant select, insert, update, delete on app.placement to leads_jobs;
