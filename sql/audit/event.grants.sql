-- audit.event - the privileges on the audit log.
set local role leads_owner;
revoke all on audit.event from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on audit.event to leads_exec;
-- admin.seal_events, admin.verify_chain
grant select on audit.event to leads_jobs;
grant insert (
  id, organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest, created_at
) on audit.event to leads_audit;
-- The columns that the views of schema bi read. Analysts have no USAGE on schema audit.
grant select (
  id, organization_id, action, source, correlation_id, lead_id, payload, created_at, stage_left, stage_entered
) on audit.event to leads_bi;

-- leads erase. The trigger _120_check_erasure checks every update.
grant
  select (organization_id, id, action, lead_id, payload, salt, payload_digest, created_at),
  update (payload, salt)
on audit.event to leads_eraser;

-- audit.delete_rows
grant delete on audit.event to leads_eraser;
