-- admin.lead_import - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('admin.lead_import');

-- leads import
create policy lead_import_jobs_select on admin.lead_import for select to leads_jobs using (true);
create policy lead_import_jobs_insert on admin.lead_import for insert to leads_jobs with check (true);
create policy lead_import_jobs_update on admin.lead_import for update to leads_jobs using (true) with check (true);

-- audit.delete_rows
create policy lead_import_eraser_select on admin.lead_import for select to leads_eraser using (true);
create policy lead_import_eraser_delete on admin.lead_import for delete to leads_eraser using (true);
