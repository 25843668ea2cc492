-- app.pipeline_stage - the policies of the stages' table.
set local role leads_owner;

call app.drop_policies('app.pipeline_stage');

create policy pipeline_stage_exec_select on app.pipeline_stage for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy pipeline_stage_jobs_select on app.pipeline_stage for select to leads_jobs using (true);
create policy pipeline_stage_jobs_insert on app.pipeline_stage for insert to leads_jobs with check (true);
create policy pipeline_stage_jobs_delete on app.pipeline_stage for delete to leads_jobs using (true);

create policy pipeline_stage_bi_select on app.pipeline_stage for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- The floor under whatever policy is added later. Said the other way round, or PostgreSQL would drop it as a repetition: with
-- two, EXPLAIN ANALYZE runs both subselects always, not only once a row of anybody's has passed the analyst's conditions.
create policy pipeline_stage_bi_all on app.pipeline_stage as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy pipeline_stage_eraser_select on app.pipeline_stage for select to leads_eraser using (true);
create policy pipeline_stage_eraser_delete on app.pipeline_stage for delete to leads_eraser using (true);
