-- app.unindexed_lead - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.unindexed_lead');

create policy unindexed_lead_exec_select on app.unindexed_lead for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

-- admin.seal_events, admin.index_leads
create policy unindexed_lead_jobs_select on app.unindexed_lead for select to leads_jobs using (true);
create policy unindexed_lead_jobs_insert on app.unindexed_lead for insert to leads_jobs with check (true);
create policy unindexed_lead_jobs_delete on app.unindexed_lead for delete to leads_jobs using (true);

-- leads erase
create policy unindexed_lead_eraser_select on app.unindexed_lead for select to leads_eraser using (true);
create policy unindexed_lead_eraser_delete on app.unindexed_lead for delete to leads_eraser using (true);
