-- app.pipeline_stage - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.pipeline_stage');

create policy pipeline_stage_exec_select on app.pipeline_stage for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

create policy pipeline_stage_intake_select on app.pipeline_stage for select to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy pipeline_stage_jobs_select on app.pipeline_stage for select to leads_jobs using (true);
create policy pipeline_stage_jobs_insert on app.pipeline_stage for insert to leads_jobs with check (true);
create policy pipeline_stage_jobs_delete on app.pipeline_stage for delete to leads_jobs using (true);

create policy pipeline_stage_bi_select on app.pipeline_stage for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy pipeline_stage_bi_all on app.pipeline_stage as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy pipeline_stage_eraser_select on app.pipeline_stage for select to leads_eraser using (true);
create policy pipeline_stage_eraser_delete on app.pipeline_stage for delete to leads_eraser using (true);
