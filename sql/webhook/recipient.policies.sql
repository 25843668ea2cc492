-- webhook.recipient - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('webhook.recipient');

-- GET /leads/{id}/everything, which requires the scope admin.
create policy recipient_exec_select on webhook.recipient for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

-- The worker's functions, and leads erase
create policy recipient_jobs_select on webhook.recipient for select to leads_jobs using (true);
create policy recipient_jobs_insert on webhook.recipient for insert to leads_jobs with check (true);
create policy recipient_jobs_update on webhook.recipient for update to leads_jobs using (true) with check (true);
create policy recipient_jobs_delete on webhook.recipient for delete to leads_jobs using (true);

-- leads erase
create policy recipient_eraser_select on webhook.recipient for select to leads_eraser using (true);
create policy recipient_eraser_delete on webhook.recipient for delete to leads_eraser using (true);
