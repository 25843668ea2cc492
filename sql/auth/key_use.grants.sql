-- auth.key_use - the privileges on the last uses of keys.
set local role leads_auth;
revoke all on auth.key_use
from leads_owner, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on auth.key_use to leads_exec, leads_jobs;

-- audit.delete_rows
grant select (organization_id, key_id), delete on auth.key_use to leads_eraser;
