-- app.organization - the privileges on the table.
set local role leads_owner;
revoke all on app.organization from leads_auth, leads_exec, leads_intake, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator, leads_router;

grant references on app.organization to leads_auth;
grant select on app.organization to leads_exec;
grant select (organization_id, accepts_name_and_phone, country_code) on app.organization to leads_intake;
-- admin.seal_events locks the row, which requires UPDATE on a column that never changes.
grant
  select,
  insert (organization_id, name, environment),
  update (organization_id, accepts_name_and_phone, country_code, keep_audit_years, time_zone)
on app.organization to leads_jobs;

-- The columns that the views of schema bi read. Analysts have no USAGE on schema app.
grant select (organization_id, time_zone) on app.organization to leads_bi;

grant select (organization_id, erased_at, country_code), update (name, erased_at) on app.organization to leads_eraser;

-- audit.delete_rows
grant delete on app.organization to leads_eraser;
