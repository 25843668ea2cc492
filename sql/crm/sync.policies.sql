-- crm.sync - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('crm.sync');

create policy sync_exec_select on crm.sync for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

-- crm.request_push, the worker's functions, and leads crm.
create policy sync_jobs_select on crm.sync for select to leads_jobs using (true);
create policy sync_jobs_insert on crm.sync for insert to leads_jobs with check (true);
create policy sync_jobs_update on crm.sync for update to leads_jobs using (true) with check (true);

create policy sync_bi_select on crm.sync for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy sync_bi_all on crm.sync as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy sync_eraser_select on crm.sync for select to leads_eraser using (true);
create policy sync_eraser_update on crm.sync for update to leads_eraser using (true) with check (true);
create policy sync_eraser_delete on crm.sync for delete to leads_eraser using (true);
