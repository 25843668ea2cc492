-- app.idempotency_key - the privileges on the table.
set local role leads_owner;
revoke all on app.idempotency_key from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert, update, delete on app.idempotency_key to leads_exec;
grant select (organization_id, key_digest, created_at), delete on app.idempotency_key to leads_jobs;

grant select (organization_id, headers, body), update (request_digest, status, headers, body), delete on app.idempotency_key
to leads_eraser;

-- audit.delete_rows
grant select (key_digest) on app.idempotency_key to leads_eraser;
