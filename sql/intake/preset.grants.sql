-- intake.preset - the privileges on the table.
set local role leads_owner;
revoke all on intake.preset
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on intake.preset to leads_intake, leads_exec, leads_jobs;
