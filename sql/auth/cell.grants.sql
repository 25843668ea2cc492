-- auth.cell - the privileges on the name of the cell.
set local role leads_auth;
revoke all on auth.cell
from leads_owner, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert (name), delete on auth.cell to leads_jobs;
