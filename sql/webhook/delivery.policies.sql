-- webhook.delivery - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('webhook.delivery');

-- The routes of webhooks, which require the scope admin.
create policy delivery_exec_select on webhook.delivery for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

create policy delivery_exec_insert on webhook.delivery for insert to leads_exec
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

create policy delivery_exec_update on webhook.delivery for update to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)))
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

-- The worker's functions, and leads webhooks.
create policy delivery_jobs_select on webhook.delivery for select to leads_jobs using (true);
create policy delivery_jobs_insert on webhook.delivery for insert to leads_jobs with check (true);
create policy delivery_jobs_update on webhook.delivery for update to leads_jobs using (true) with check (true);
create policy delivery_jobs_delete on webhook.delivery for delete to leads_jobs using (true);

-- leads erase
create policy delivery_eraser_select on webhook.delivery for select to leads_eraser using (true);
create policy delivery_eraser_delete on webhook.delivery for delete to leads_eraser using (true);
