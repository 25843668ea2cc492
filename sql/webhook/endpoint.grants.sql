-- webhook.endpoint - the privileges on the table.
set local role leads_owner;
revoke all on webhook.endpoint
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

-- Not the secrets: the API stores them and can't read them, although they are sealed.
grant
  select (
    organization_id, id, name, url, actions, include, state, disabled_reason, disabled_at, failing_since, failures,
    paused_until, recovered_at, position, secret_key, previous_secret_key, previous_expires_at, created_at, updated_at
  ),
  insert (organization_id, id, name, url, actions, include, position, secret, secret_key),
  update (
    name, url, actions, include, state, disabled_reason, disabled_at, failing_since, failures, paused_until, recovered_at,
    position, secret, secret_key, secret_is_bound, previous_expires_at
  ),
  delete
on webhook.endpoint to leads_exec;

grant
  select,
  insert (organization_id, id, name, url, actions, include, position, secret, secret_key),
  update (
    name, url, actions, include, state, disabled_reason, disabled_at, failing_since, failures, paused_until, recovered_at,
    position, secret, secret_key, secret_is_bound, previous_secret, previous_secret_key, previous_is_bound, previous_expires_at
  ),
  delete
on webhook.endpoint to leads_jobs;

-- audit.erase_lead locks rows, which requires UPDATE on a column that never changes.
grant select (organization_id, id), update (organization_id), delete on webhook.endpoint to leads_eraser;

-- admin.take_over
grant insert on webhook.endpoint to leads_jobs;
