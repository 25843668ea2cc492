-- audit.retirement - the privileges on the table of retired years.
set local role leads_owner;
revoke all on audit.retirement
from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant
  select,
  insert (year, archive_name, archive_digest, events),
  update (archive_digest, archive_name, dropped_at)
on audit.retirement to leads_jobs;
