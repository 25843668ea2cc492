-- app.uncounted_seal - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.uncounted_seal');

-- admin.count_stages
create policy uncounted_seal_jobs_select on app.uncounted_seal for select to leads_jobs using (true);
create policy uncounted_seal_jobs_insert on app.uncounted_seal for insert to leads_jobs with check (true);
create policy uncounted_seal_jobs_delete on app.uncounted_seal for delete to leads_jobs using (true);

-- leads erase --organization
create policy uncounted_seal_eraser_select on app.uncounted_seal for select to leads_eraser using (true);
create policy uncounted_seal_eraser_delete on app.uncounted_seal for delete to leads_eraser using (true);
