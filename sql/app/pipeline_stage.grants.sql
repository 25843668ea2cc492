-- app.pipeline_stage - the privileges on the table.
set local role leads_owner;
revoke all on app.pipeline_stage from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select on app.pipeline_stage to leads_exec, leads_intake;
grant select, insert, delete on app.pipeline_stage to leads_jobs;
grant select (organization_id, name, position) on app.pipeline_stage to leads_bi;

grant select (organization_id), delete on app.pipeline_stage to leads_eraser;

-- audit.delete_rows
grant select (name) on app.pipeline_stage to leads_eraser;
