-- webhook.endpoint - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('webhook.endpoint');

-- The routes of webhooks, which require the scope admin.
create policy endpoint_exec_select on webhook.endpoint for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

create policy endpoint_exec_insert on webhook.endpoint for insert to leads_exec
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

create policy endpoint_exec_update on webhook.endpoint for update to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)))
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

create policy endpoint_exec_delete on webhook.endpoint for delete to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

-- The worker's functions, and leads webhooks.
create policy endpoint_jobs_select on webhook.endpoint for select to leads_jobs using (true);
create policy endpoint_jobs_insert on webhook.endpoint for insert to leads_jobs with check (true);
create policy endpoint_jobs_update on webhook.endpoint for update to leads_jobs using (true) with check (true);
create policy endpoint_jobs_delete on webhook.endpoint for delete to leads_jobs using (true);

-- leads erase
create policy endpoint_eraser_select on webhook.endpoint for select to leads_eraser using (true);
create policy endpoint_eraser_update on webhook.endpoint for update to leads_eraser using (true) with check (true);
create policy endpoint_eraser_delete on webhook.endpoint for delete to leads_eraser using (true);
