-- crm.connection - the privileges on the table.
set local role leads_owner;
revoke all on crm.connection
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select (
  organization_id, id, vendor, account, state, fault, push_stage, settings, settle_seconds, created_at
) on crm.connection to leads_exec;

grant
  select,
  insert (organization_id, vendor, account, push_stage, settings, settle_seconds, credential, credential_key),
  update (
    vendor, account, state, fault, push_stage, settings, settle_seconds, revision, credential, credential_key,
    blocked_until, paced_until
  ),
  delete
on crm.connection to leads_jobs;

-- admin.load_history
grant insert (created_at) on crm.connection to leads_jobs;

-- audit.delete_rows
grant select (organization_id), delete on crm.connection to leads_eraser;

-- admin.take_over
grant insert on crm.connection to leads_jobs;
