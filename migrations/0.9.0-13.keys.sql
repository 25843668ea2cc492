-- API keys and analysts: policies, triggers and grants.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

-- begin frozen sql/auth/api_key.policies.sql
-- auth.api_key - the policies of the API keys.
set local role leads_auth;

call app.drop_policies('auth.api_key');

-- The organization is known only after the row is read.
create policy api_key_auth_select on auth.api_key for select to leads_auth using (true);

create policy api_key_jobs_select on auth.api_key for select to leads_jobs using (true);
create policy api_key_jobs_insert on auth.api_key for insert to leads_jobs with check (true);
create policy api_key_jobs_update on auth.api_key for update to leads_jobs using (true) with check (true);
-- begin frozen sql/auth/api_key.triggers.sql
-- auth.api_key - the triggers of the API keys.
set local role leads_auth;

call app.drop_triggers('auth.api_key');

create trigger _100_refuse_truncate before truncate on auth.api_key
  for each statement execute function audit.tg_refuse('Revoke keys instead, which records each change.');

create trigger _120_keep_identity before update on auth.api_key
  for each row when ((old.organization_id, old.id, old.created_at) is distinct from (new.organization_id, new.id, new.created_at))
  execute function audit.tg_refuse('organization_id, id and created_at never change.');

create trigger _900_record after insert or update or delete on auth.api_key
  for each row execute function audit.tg_record('api_key', 'id');
-- begin frozen sql/auth/api_key.grants.sql
-- auth.api_key - the privileges on the API keys.
set local role leads_auth;

revoke all on auth.api_key from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select (organization_id, id, name, scopes, created_at, expires_at, revoked_at, rotated_from) on auth.api_key to leads_jobs;
grant insert (organization_id, id, name, scopes, digest, expires_at, rotated_from) on auth.api_key to leads_jobs;
grant update (name, expires_at, revoked_at) on auth.api_key to leads_jobs;
-- begin frozen sql/auth/analyst.policies.sql
-- auth.analyst - the policies of the analysts' logins.
set local role leads_auth;

call app.drop_policies('auth.analyst');

-- The organization is known only after the row is read.
create policy analyst_auth_select on auth.analyst for select to leads_auth using (true);

-- leads bi
create policy analyst_jobs_select on auth.analyst for select to leads_jobs using (true);
create policy analyst_jobs_insert on auth.analyst for insert to leads_jobs with check (true);
create policy analyst_jobs_delete on auth.analyst for delete to leads_jobs using (true);
-- begin frozen sql/auth/analyst.triggers.sql
-- auth.analyst - the triggers of the analysts' logins.
set local role leads_auth;

call app.drop_triggers('auth.analyst');

create trigger _100_refuse_truncate before truncate on auth.analyst
  for each statement execute function audit.tg_refuse('Use "leads bi revoke", which records each change.');

-- An open session of an analyst must not change to another organization.
create trigger _110_refuse_change before update on auth.analyst
  for each statement execute function audit.tg_refuse('Revoke the analyst and create another one.');

create trigger _900_record after insert or update or delete on auth.analyst
  for each row execute function audit.tg_record('analyst', 'role_name');
-- begin frozen sql/auth/analyst.grants.sql
-- auth.analyst - the privileges on the analysts' logins.
set local role leads_auth;

revoke all on auth.analyst from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert (organization_id, role_oid, role_name, expires_at), delete on auth.analyst to leads_jobs;
-- end frozen

reset role;
