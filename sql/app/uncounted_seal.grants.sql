-- app.uncounted_seal - the privileges on the table.
set local role leads_owner;
revoke all on app.uncounted_seal from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert, delete on app.uncounted_seal to leads_jobs;
grant select (organization_id), delete on app.uncounted_seal to leads_eraser;

-- audit.delete_rows
grant select (position) on app.uncounted_seal to leads_eraser;
