-- scoring.signal - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('scoring.signal');

create policy signal_exec_select on scoring.signal for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

create policy signal_intake_select on scoring.signal for select to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy signal_intake_insert on scoring.signal for insert to leads_intake
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy signal_exec_insert on scoring.signal for insert to leads_exec
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'write' = any (k.scopes)));

-- admin.try_scoring_model, admin.load_signals
create policy signal_jobs_select on scoring.signal for select to leads_jobs using (true);
create policy signal_jobs_insert on scoring.signal for insert to leads_jobs with check (true);

create policy signal_bi_select on scoring.signal for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy signal_bi_all on scoring.signal as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy signal_eraser_select on scoring.signal for select to leads_eraser using (true);
create policy signal_eraser_delete on scoring.signal for delete to leads_eraser using (true);
