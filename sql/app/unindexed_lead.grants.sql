-- app.unindexed_lead - the privileges on the table.
set local role leads_owner;
revoke all on app.unindexed_lead
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on app.unindexed_lead to leads_exec;
grant select, insert, delete on app.unindexed_lead to leads_jobs;
grant select (organization_id, lead_id), delete on app.unindexed_lead to leads_eraser;
