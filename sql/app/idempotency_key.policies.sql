-- app.idempotency_key - the policies of the kept answers' table.
set local role leads_owner;

drop policy if exists idempotency_key_exec_all on app.idempotency_key;

create policy idempotency_key_exec_all on app.idempotency_key for all to leads_exec
  using (organization_id = (select auth.organization_id('write')))
  with check (organization_id = (select auth.organization_id('write')));
