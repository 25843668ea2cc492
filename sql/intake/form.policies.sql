-- intake.form - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('intake.form');

-- A token sees its own form only.
create policy form_intake_select on intake.form for select to leads_intake
  using (
    (organization_id, key_id) = (select k.organization_id, k.id from auth.claimed_key as k where 'form' = any (k.scopes))
  );

-- api.submit_form locks the row, so that two submissions of a person wait for each other. It changes nothing.
create policy form_intake_update on intake.form for update to leads_intake
  using (
    (organization_id, key_id) = (select k.organization_id, k.id from auth.claimed_key as k where 'form' = any (k.scopes))
  )
  with check (false);

-- GET and POST /forms, which require the scope admin.
create policy form_exec_select on intake.form for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

create policy form_exec_insert on intake.form for insert to leads_exec
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

-- leads forms
create policy form_jobs_select on intake.form for select to leads_jobs using (true);
create policy form_jobs_insert on intake.form for insert to leads_jobs with check (true);
create policy form_jobs_update on intake.form for update to leads_jobs using (true) with check (true);

-- leads erase --organization
create policy form_eraser_select on intake.form for select to leads_eraser using (true);
create policy form_eraser_delete on intake.form for delete to leads_eraser using (true);
