-- audit.seal - the privileges on the seals.
set local role leads_owner;
revoke all on audit.seal from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on audit.seal to leads_exec;
grant
  select,
  insert (organization_id, position, event_id, event_hash, hash, created_at, sealed_at)
on audit.seal to leads_jobs;

-- audit.delete_rows
grant select (organization_id, event_id), delete on audit.seal to leads_eraser;
