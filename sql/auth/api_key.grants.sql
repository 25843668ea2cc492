-- auth.api_key - the privileges on the API keys.
set local role leads_auth;
revoke all on auth.api_key from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

-- No role but the owner reads a digest.
grant select (organization_id, id, name, scopes, created_at, expires_at, revoked_at, rotated_from) on auth.api_key
to leads_exec, leads_jobs;
grant insert (organization_id, id, name, scopes, digest, expires_at, rotated_from) on auth.api_key to leads_exec, leads_jobs;
grant update (expires_at, revoked_at) on auth.api_key to leads_exec;
grant update (name, expires_at, revoked_at) on auth.api_key to leads_jobs;

-- audit.delete_rows
grant select (organization_id, id), delete on auth.api_key to leads_eraser;
