-- auth.key_use - the policies of the last uses of keys.
set local role leads_auth;
call app.drop_policies('auth.key_use');

-- auth.record_key_uses: one call has the keys of many organizations.
create policy key_use_auth_select on auth.key_use for select to leads_auth using (true);
create policy key_use_auth_insert on auth.key_use for insert to leads_auth with check (true);
create policy key_use_auth_update on auth.key_use for update to leads_auth using (true) with check (true);

create policy key_use_exec_select on auth.key_use for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'admin' = any (k.scopes)));

create policy key_use_jobs_select on auth.key_use for select to leads_jobs using (true);

-- audit.delete_rows
create policy key_use_eraser_select on auth.key_use for select to leads_eraser using (true);
create policy key_use_eraser_delete on auth.key_use for delete to leads_eraser using (true);
