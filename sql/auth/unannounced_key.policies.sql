-- auth.unannounced_key - the policies of the keys that the router does not know.
set local role leads_auth;
call app.drop_policies('auth.unannounced_key');

-- auth.tg_api_key__announce and auth.is_announced
create policy unannounced_key_auth_select on auth.unannounced_key for select to leads_auth using (true);
create policy unannounced_key_auth_insert on auth.unannounced_key for insert to leads_auth with check (true);

create policy unannounced_key_jobs_select on auth.unannounced_key for select to leads_jobs using (true);
create policy unannounced_key_jobs_delete on auth.unannounced_key for delete to leads_jobs using (true);

-- audit.delete_rows
create policy unannounced_key_eraser_select on auth.unannounced_key for select to leads_eraser using (true);
create policy unannounced_key_eraser_delete on auth.unannounced_key for delete to leads_eraser using (true);
