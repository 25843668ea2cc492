-- app.lead_word - the privileges on the table.
set local role leads_owner;
revoke all on app.lead_word
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on app.lead_word to leads_exec;
grant select, insert, delete on app.lead_word to leads_jobs;
grant select (organization_id, lead_id), delete on app.lead_word to leads_eraser;

-- audit.delete_rows
grant select (word) on app.lead_word to leads_eraser;
