-- app.stage_stay - the privileges on the table.
set local role leads_owner;
revoke all on app.stage_stay from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert, update on app.stage_stay to leads_jobs;
-- The columns that the views of schema bi read. Analysts have no USAGE on schema app.
grant select (organization_id, lead_id, entered_at, left_at, stage, next_stage) on app.stage_stay to leads_bi;
grant select (organization_id), delete on app.stage_stay to leads_eraser;

-- audit.delete_rows
grant select (lead_id) on app.stage_stay to leads_eraser;
