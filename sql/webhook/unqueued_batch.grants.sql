-- webhook.unqueued_batch - the privileges on the table.
set local role leads_owner;
revoke all on webhook.unqueued_batch
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert (organization_id), delete on webhook.unqueued_batch to leads_jobs;

-- audit.delete_rows
grant select (organization_id, id), delete on webhook.unqueued_batch to leads_eraser;
