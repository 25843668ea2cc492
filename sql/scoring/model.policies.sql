-- scoring.model - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('scoring.model');

create policy model_exec_select on scoring.model for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

create policy model_intake_select on scoring.model for select to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

-- admin.edit_scoring_model, admin.activate_scoring_model
create policy model_jobs_select on scoring.model for select to leads_jobs using (true);
create policy model_jobs_insert on scoring.model for insert to leads_jobs with check (true);
create policy model_jobs_update on scoring.model for update to leads_jobs using (true) with check (true);

-- leads erase
create policy model_eraser_select on scoring.model for select to leads_eraser using (true);
create policy model_eraser_delete on scoring.model for delete to leads_eraser using (true);
