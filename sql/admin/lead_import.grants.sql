-- admin.lead_import - the privileges on the table.
set local role leads_owner;
revoke all on admin.lead_import
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert (organization_id, file_digest), update (rows_done, created, updated, skipped, failed, is_complete)
on admin.lead_import to leads_jobs;

-- audit.delete_rows
grant select (organization_id, file_digest), delete on admin.lead_import to leads_eraser;
