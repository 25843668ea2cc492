-- audit.unsealed - the policies of the queue of events without a seal.
set local role leads_owner;
call app.drop_policies('audit.unsealed');

create policy unsealed_exec_select on audit.unsealed for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

-- audit.write_event
create policy unsealed_audit_insert on audit.unsealed for insert to leads_audit with check (true);

-- admin.seal_events, admin.verify_chain
create policy unsealed_jobs_select on audit.unsealed for select to leads_jobs using (true);
create policy unsealed_jobs_delete on audit.unsealed for delete to leads_jobs using (true);

-- audit.delete_rows
create policy unsealed_eraser_select on audit.unsealed for select to leads_eraser using (true);
create policy unsealed_eraser_delete on audit.unsealed for delete to leads_eraser using (true);

-- admin.take_over
create policy unsealed_jobs_insert on audit.unsealed for insert to leads_jobs with check (true);
