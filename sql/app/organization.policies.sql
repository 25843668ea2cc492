-- app.organization - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.organization');

create policy organization_exec_select on app.organization for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

create policy organization_intake_select on app.organization for select to leads_intake
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'form' = any (k.scopes)));

create policy organization_jobs_select on app.organization for select to leads_jobs using (true);
create policy organization_jobs_insert on app.organization for insert to leads_jobs with check (true);
-- admin.seal_events locks the row.
create policy organization_jobs_update on app.organization for update to leads_jobs using (true) with check (true);

create policy organization_bi_select on app.organization for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy organization_bi_all on app.organization as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy organization_eraser_select on app.organization for select to leads_eraser using (true);
create policy organization_eraser_update on app.organization for update to leads_eraser using (true) with check (true);

-- audit.delete_rows
create policy organization_eraser_delete on app.organization for delete to leads_eraser using (true);
