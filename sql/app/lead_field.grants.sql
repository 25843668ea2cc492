-- app.lead_field - the privileges on the table.
set local role leads_owner;
revoke all on app.lead_field
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on app.lead_field to leads_exec, leads_intake, leads_jobs;
