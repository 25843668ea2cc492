-- app.stage_stay - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.stage_stay');

-- admin.count_stages
create policy stage_stay_jobs_select on app.stage_stay for select to leads_jobs using (true);
create policy stage_stay_jobs_insert on app.stage_stay for insert to leads_jobs with check (true);
create policy stage_stay_jobs_update on app.stage_stay for update to leads_jobs using (true) with check (true);

create policy stage_stay_bi_select on app.stage_stay for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy stage_stay_bi_all on app.stage_stay as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase --organization
create policy stage_stay_eraser_select on app.stage_stay for select to leads_eraser using (true);
create policy stage_stay_eraser_delete on app.stage_stay for delete to leads_eraser using (true);
