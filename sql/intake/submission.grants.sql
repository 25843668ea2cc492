-- intake.submission - the privileges on the table.
set local role leads_owner;
revoke all on intake.submission
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant
  select (organization_id, id, form_id, event_digest, content_digest, outcome),
  insert (organization_id, id, form_id, event_digest, content_digest, outcome, content, faults),
  update (event_digest, outcome, lead_id, content, faults)
on intake.submission to leads_intake;

grant select (organization_id, id, form_id, outcome, lead_id, content, faults, created_at) on intake.submission to leads_exec;
grant select, update (outcome, lead_id, content, faults), delete on intake.submission to leads_jobs;
grant select (organization_id, lead_id, content), delete on intake.submission to leads_eraser;

-- audit.delete_rows
grant select (id) on intake.submission to leads_eraser;
