-- app.stage_day - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.stage_day');

-- admin.count_stages
create policy stage_day_jobs_select on app.stage_day for select to leads_jobs using (true);
create policy stage_day_jobs_insert on app.stage_day for insert to leads_jobs with check (true);
create policy stage_day_jobs_update on app.stage_day for update to leads_jobs using (true) with check (true);
create policy stage_day_jobs_delete on app.stage_day for delete to leads_jobs using (true);

create policy stage_day_bi_select on app.stage_day for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy stage_day_bi_all on app.stage_day as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase --organization
create policy stage_day_eraser_select on app.stage_day for select to leads_eraser using (true);
create policy stage_day_eraser_delete on app.stage_day for delete to leads_eraser using (true);
