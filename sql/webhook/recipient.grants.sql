-- webhook.recipient - the privileges on the table.
set local role leads_owner;
revoke all on webhook.recipient
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on webhook.recipient to leads_exec;
grant select, insert, update (host, last_at), delete on webhook.recipient to leads_jobs;
grant select, delete on webhook.recipient to leads_eraser;
