-- app.idempotency_key - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.idempotency_key');

create policy idempotency_key_exec_all on app.idempotency_key for all to leads_exec
  using (organization_id = (select k.organization_id from auth.claimed_key as k where 'write' = any (k.scopes)))
  with check (organization_id = (select k.organization_id from auth.claimed_key as k where 'write' = any (k.scopes)));

-- admin.delete_expired_answers
create policy idempotency_key_jobs_select on app.idempotency_key for select to leads_jobs using (true);
create policy idempotency_key_jobs_delete on app.idempotency_key for delete to leads_jobs using (true);

-- leads erase
create policy idempotency_key_eraser_select on app.idempotency_key for select to leads_eraser using (true);
create policy idempotency_key_eraser_update on app.idempotency_key for update to leads_eraser using (true) with check (true);
create policy idempotency_key_eraser_delete on app.idempotency_key for delete to leads_eraser using (true);
