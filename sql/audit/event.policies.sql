-- audit.event - the policies of the audit log.
set local role leads_owner;
call app.drop_policies('audit.event');

create policy event_exec_select on audit.event for select to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'read' = any (k.scopes)));

-- Only the trigger functions run as leads_audit. The organization comes from the changed row.
create policy event_audit_insert on audit.event for insert to leads_audit with check (true);

-- admin.seal_events, admin.verify_chain
create policy event_jobs_select on audit.event for select to leads_jobs using (true);

create policy event_bi_select on audit.event for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy event_bi_all on audit.event as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy event_eraser_select on audit.event for select to leads_eraser using (true);
create policy event_eraser_update on audit.event for update to leads_eraser using (true) with check (true);

-- audit.delete_rows
create policy event_eraser_delete on audit.event for delete to leads_eraser using (true);
