-- audit.seal - the policies of the seals.
set local role leads_owner;
call app.drop_policies('audit.seal');

create policy seal_exec_select on audit.seal for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

-- admin.seal_events, admin.verify_chain
create policy seal_jobs_select on audit.seal for select to leads_jobs using (true);
create policy seal_jobs_insert on audit.seal for insert to leads_jobs with check (true);

-- audit.delete_rows
create policy seal_eraser_select on audit.seal for select to leads_eraser using (true);
create policy seal_eraser_delete on audit.seal for delete to leads_eraser using (true);
