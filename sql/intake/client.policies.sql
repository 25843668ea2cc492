-- intake.client - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('intake.client');

create policy client_intake_select on intake.client for select to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy client_intake_insert on intake.client for insert to leads_intake
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy client_intake_update on intake.client for update to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)))
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

-- admin.delete_old_submissions
create policy client_jobs_select on intake.client for select to leads_jobs using (true);
create policy client_jobs_delete on intake.client for delete to leads_jobs using (true);

-- leads erase --organization
create policy client_eraser_select on intake.client for select to leads_eraser using (true);
create policy client_eraser_delete on intake.client for delete to leads_eraser using (true);
