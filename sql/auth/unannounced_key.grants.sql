-- auth.unannounced_key - the privileges on the keys that the router does not know.
set local role leads_auth;
revoke all on auth.unannounced_key
from leads_owner, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, delete on auth.unannounced_key to leads_jobs;

-- audit.delete_rows
grant select (organization_id, key_id), delete on auth.unannounced_key to leads_eraser;
