-- api.parameter - the privileges on a table of the reference.
set local role leads_owner;
revoke all on api.parameter from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on api.parameter to leads_exec;
