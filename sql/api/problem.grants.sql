-- api.problem - the privileges on the table of errors.
set local role leads_owner;
revoke all on api.problem from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on api.problem to leads_exec;
