-- webhook.sealing_key - the privileges on the table.
set local role leads_owner;
revoke all on webhook.sealing_key
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on webhook.sealing_key to leads_exec;
grant select, insert (key_id, public_key, is_current), update (public_key, is_current), delete on webhook.sealing_key to leads_jobs;
