-- api.route - the privileges on the route table.
set local role leads_owner;
revoke all on api.route from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on api.route to leads_exec, leads_jobs;
