-- crm.connection - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('crm.connection');

-- GET /crm-connections, which requires the scope admin.
create policy connection_exec_select on crm.connection for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

-- The worker's functions, and leads crm.
create policy connection_jobs_select on crm.connection for select to leads_jobs using (true);
create policy connection_jobs_insert on crm.connection for insert to leads_jobs with check (true);
create policy connection_jobs_update on crm.connection for update to leads_jobs using (true) with check (true);
create policy connection_jobs_delete on crm.connection for delete to leads_jobs using (true);

-- audit.delete_rows
create policy connection_eraser_select on crm.connection for select to leads_eraser using (true);
create policy connection_eraser_delete on crm.connection for delete to leads_eraser using (true);
