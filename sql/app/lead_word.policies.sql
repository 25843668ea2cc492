-- app.lead_word - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.lead_word');

create policy lead_word_exec_select on app.lead_word for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

-- admin.index_leads
create policy lead_word_jobs_select on app.lead_word for select to leads_jobs using (true);
create policy lead_word_jobs_insert on app.lead_word for insert to leads_jobs with check (true);
create policy lead_word_jobs_delete on app.lead_word for delete to leads_jobs using (true);

-- leads erase
create policy lead_word_eraser_select on app.lead_word for select to leads_eraser using (true);
create policy lead_word_eraser_delete on app.lead_word for delete to leads_eraser using (true);
