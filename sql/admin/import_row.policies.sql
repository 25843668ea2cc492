-- admin.import_row - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('admin.import_row');

-- leads import
create policy import_row_jobs_select on admin.import_row for select to leads_jobs using (true);
create policy import_row_jobs_insert on admin.import_row for insert to leads_jobs with check (true);
create policy import_row_jobs_delete on admin.import_row for delete to leads_jobs using (true);

-- leads erase
create policy import_row_eraser_select on admin.import_row for select to leads_eraser using (true);
create policy import_row_eraser_delete on admin.import_row for delete to leads_eraser using (true);
