-- crm.vendor - the privileges on the table.
set local role leads_owner;
revoke all on crm.vendor
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on crm.vendor to leads_jobs;
