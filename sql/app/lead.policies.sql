-- app.lead - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.lead');

create policy lead_exec_select on app.lead for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

create policy lead_exec_insert on app.lead for insert to leads_exec
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'write' = any (k.scopes)));

create policy lead_exec_update on app.lead for update to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'write' = any (k.scopes)))
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'write' = any (k.scopes)));

-- The functions of forms, which leads_intake owns.
create policy lead_intake_select on app.lead for select to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy lead_intake_insert on app.lead for insert to leads_intake
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy lead_intake_update on app.lead for update to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)))
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

-- admin.try_scoring_model, admin.backtest_scoring_model
create policy lead_jobs_select on app.lead for select to leads_jobs using (true);
-- admin.load_leads
create policy lead_jobs_insert on app.lead for insert to leads_jobs with check (true);
-- admin.fill_lead_items, admin.replay_submissions
create policy lead_jobs_update on app.lead for update to leads_jobs using (true) with check (true);

create policy lead_bi_select on app.lead for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy lead_bi_all on app.lead as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy lead_eraser_select on app.lead for select to leads_eraser using (true);
create policy lead_eraser_update on app.lead for update to leads_eraser using (true) with check (true);
create policy lead_eraser_delete on app.lead for delete to leads_eraser using (true);
