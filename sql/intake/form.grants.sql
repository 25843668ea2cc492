-- intake.form - the privileges on the table.
set local role leads_owner;
revoke all on intake.form
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

-- api.submit_form locks the row, which requires UPDATE on a column. The policy refuses each change.
grant select, update (organization_id) on intake.form to leads_intake;

grant
  select,
  insert (
    organization_id, id, key_id, name, preset, source, mapping, constants, origins, honeypot, redirect_url, on_duplicate,
    duplicate_hours, requests_per_minute, credential
  )
on intake.form to leads_exec, leads_jobs;

grant
  update (
    name, preset, source, mapping, constants, origins, honeypot, redirect_url, on_duplicate, duplicate_hours,
    requests_per_minute
  )
on intake.form to leads_jobs;

grant select (organization_id), delete on intake.form to leads_eraser;

-- audit.delete_rows
grant select (id) on intake.form to leads_eraser;

-- admin.take_over
grant insert on intake.form to leads_jobs;
