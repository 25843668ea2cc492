-- crm.attempt - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('crm.attempt');

create policy attempt_exec_select on crm.attempt for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

-- The worker's functions, and leads crm.
create policy attempt_jobs_select on crm.attempt for select to leads_jobs using (true);
create policy attempt_jobs_insert on crm.attempt for insert to leads_jobs with check (true);
create policy attempt_jobs_update on crm.attempt for update to leads_jobs using (true) with check (true);

-- leads erase
create policy attempt_eraser_select on crm.attempt for select to leads_eraser using (true);
create policy attempt_eraser_delete on crm.attempt for delete to leads_eraser using (true);
