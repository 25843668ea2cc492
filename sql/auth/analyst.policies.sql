-- auth.analyst - the policies of the analysts' logins.
set local role leads_auth;
call app.drop_policies('auth.analyst');

-- The organization is known only after the row is read.
create policy analyst_auth_select on auth.analyst for select to leads_auth using (true);

-- leads bi
create policy analyst_jobs_select on auth.analyst for select to leads_jobs using (true);
create policy analyst_jobs_insert on auth.analyst for insert to leads_jobs with check (true);
create policy analyst_jobs_delete on auth.analyst for delete to leads_jobs using (true);

-- audit.delete_rows
create policy analyst_eraser_select on auth.analyst for select to leads_eraser using (true);
create policy analyst_eraser_delete on auth.analyst for delete to leads_eraser using (true);
