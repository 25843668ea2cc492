-- app.stage_progress - the privileges on the table.
set local role leads_owner;
revoke all on app.stage_progress from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant select, insert, update on app.stage_progress to leads_jobs;
-- The columns that the views of schema bi read. Analysts have no USAGE on schema app.
grant select (organization_id, counted_until, time_zone) on app.stage_progress to leads_bi;
grant select (organization_id), delete on app.stage_progress to leads_eraser;
