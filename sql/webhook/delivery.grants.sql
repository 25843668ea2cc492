-- webhook.delivery - the privileges on the table.
set local role leads_owner;
revoke all on webhook.delivery
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant
  select,
  insert (organization_id, id, endpoint_id, action, state, next_attempt_at, ended_at),
  update (state, begun_at, next_attempt_at, leased_until, ended_at)
on webhook.delivery to leads_exec;

grant
  select,
  insert (
    organization_id, id, endpoint_id, event_id, event_created_at, position, lead_id, action, state, next_attempt_at, ended_at
  ),
  update (
    state, attempts, begun_at, next_attempt_at, leased_until, last_attempt_at, http_status, message, ended_at
  ),
  delete
on webhook.delivery to leads_jobs;

grant select (organization_id, lead_id), delete on webhook.delivery to leads_eraser;

-- audit.delete_rows
grant select (id) on webhook.delivery to leads_eraser;
