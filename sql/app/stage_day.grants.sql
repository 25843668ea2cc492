-- app.stage_day - the privileges on the table.
set local role leads_owner;
revoke all on app.stage_day from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert, update, delete on app.stage_day to leads_jobs;
-- The columns that the views of schema bi read. Analysts have no USAGE on schema app.
grant select (organization_id, time_zone, day, stage, entered, departed) on app.stage_day to leads_bi;
grant select (organization_id), delete on app.stage_day to leads_eraser;

-- audit.delete_rows
grant select (time_zone) on app.stage_day to leads_eraser;
