-- admin.import_row - the privileges on the table.
set local role leads_owner;
revoke all on admin.import_row
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert, delete on admin.import_row to leads_jobs;
grant select (organization_id), delete on admin.import_row to leads_eraser;

-- audit.delete_rows
grant select (file_digest) on admin.import_row to leads_eraser;
