-- intake.client - the privileges on the table.
set local role leads_owner;
revoke all on intake.client
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert, update (free_at) on intake.client to leads_intake;
grant select (organization_id, form_id, address, free_at), delete on intake.client to leads_jobs;
grant select (organization_id), delete on intake.client to leads_eraser;

-- audit.delete_rows
grant select (form_id) on intake.client to leads_eraser;
