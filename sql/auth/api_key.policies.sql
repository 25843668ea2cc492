-- auth.api_key - the policies of the API keys.
set local role leads_auth;
call app.drop_policies('auth.api_key');

-- The organization is known only after the row is read.
create policy api_key_auth_select on auth.api_key for select to leads_auth using (true);

-- auth.add_form_key
create policy api_key_auth_insert on auth.api_key for insert to leads_auth with check (true);

-- auth.fence_keys
create policy api_key_auth_update on auth.api_key for update to leads_auth using (true) with check (true);

create policy api_key_exec_select on auth.api_key for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));
create policy api_key_exec_insert on auth.api_key for insert to leads_exec
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));
create policy api_key_exec_update on auth.api_key for update to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)))
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

create policy api_key_jobs_select on auth.api_key for select to leads_jobs using (true);
create policy api_key_jobs_insert on auth.api_key for insert to leads_jobs with check (true);
create policy api_key_jobs_update on auth.api_key for update to leads_jobs using (true) with check (true);

-- audit.delete_rows
create policy api_key_eraser_select on auth.api_key for select to leads_eraser using (true);
create policy api_key_eraser_delete on auth.api_key for delete to leads_eraser using (true);
