-- auth.analyst - the privileges on the analysts' logins.
set local role leads_auth;
revoke all on auth.analyst from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert (organization_id, role_oid, role_name, expires_at), delete on auth.analyst to leads_jobs;

-- audit.delete_rows
grant select (organization_id, role_oid), delete on auth.analyst to leads_eraser;
