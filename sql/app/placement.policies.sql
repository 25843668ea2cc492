-- app.placement - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.placement');

-- auth.fence_keys, auth.owned_keys, auth.take_keys
create policy placement_auth_select on app.placement for select to leads_auth using (true);

-- audit.write_event
create policy placement_audit_select on app.placement for select to leads_audit using (true);

-- the moves, and the queues of the workers
create policy placement_jobs_select on app.placement for select to leads_jobs using (true);
create policy placement_jobs_insert on app.placement for insert to leads_jobs with check (true);
create policy placement_jobs_update on app.placement for update to leads_jobs using (true) with check (true);
create policy placement_jobs_delete on app.placement for delete to leads_jobs using (true);

-- audit.delete_rows, audit.tg_event__check_departure
create policy placement_eraser_select on app.placement for select to leads_eraser using (true);
