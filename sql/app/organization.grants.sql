-- app.organization - who may do what with the organizations' table.
set local role leads_owner;

revoke all on app.organization from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant references on app.organization to leads_auth;
grant select on app.organization to leads_exec;
grant select, insert (organization_id, name, environment) on app.organization to leads_jobs;
