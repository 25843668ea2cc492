-- scoring.score - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('scoring.score');

create policy score_exec_select on scoring.score for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

create policy score_intake_select on scoring.score for select to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy score_intake_insert on scoring.score for insert to leads_intake
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy score_exec_insert on scoring.score for insert to leads_exec
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'write' = any (k.scopes)));

-- admin.replay_submissions
create policy score_jobs_select on scoring.score for select to leads_jobs using (true);
-- admin.load_leads: a lead that is loaded with a score gets a row of kind "set".
create policy score_jobs_insert on scoring.score for insert to leads_jobs with check (true);

create policy score_bi_select on scoring.score for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy score_bi_all on scoring.score as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy score_eraser_select on scoring.score for select to leads_eraser using (true);
create policy score_eraser_delete on scoring.score for delete to leads_eraser using (true);
