-- scoring.default_model - the privileges on the table.
set local role leads_owner;
revoke all on scoring.default_model
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on scoring.default_model to leads_exec, leads_intake, leads_jobs;
