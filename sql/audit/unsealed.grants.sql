-- audit.unsealed - the privileges on the queue of events without a seal.
set local role leads_owner;
revoke all on audit.unsealed from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on audit.unsealed to leads_exec;
grant insert on audit.unsealed to leads_audit;
grant select, delete on audit.unsealed to leads_jobs;

-- audit.delete_rows
grant select (organization_id, event_id), delete on audit.unsealed to leads_eraser;

-- admin.take_over
grant insert on audit.unsealed to leads_jobs;
