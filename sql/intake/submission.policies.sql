-- intake.submission - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('intake.submission');

create policy submission_intake_select on intake.submission for select to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy submission_intake_insert on intake.submission for insert to leads_intake
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy submission_intake_update on intake.submission for update to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)))
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

-- GET /leads/{id}/everything, which requires the scope admin.
create policy submission_exec_select on intake.submission for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

-- leads forms, and the worker
create policy submission_jobs_select on intake.submission for select to leads_jobs using (true);
create policy submission_jobs_update on intake.submission for update to leads_jobs using (true) with check (true);
create policy submission_jobs_delete on intake.submission for delete to leads_jobs using (true);

-- leads erase
create policy submission_eraser_select on intake.submission for select to leads_eraser using (true);
create policy submission_eraser_delete on intake.submission for delete to leads_eraser using (true);
