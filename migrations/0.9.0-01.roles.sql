-- Roles, schemas and default privileges.
--
-- Run it as a login with CREATEROLE that owns the database. It need not be a superuser. Roles belong to the whole
-- cluster: a role that exists already (a second database, a restored dump) is kept as it is.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

do $$
declare
  v_role record;
begin
  for v_role in
    select r.name, r.attributes
    from (values
      ('leads_owner', 'nologin'),
      ('leads_auth', 'nologin'),
      ('leads_exec', 'nologin'),
      ('leads_jobs', 'nologin'),
      ('leads_audit', 'nologin'),
      ('leads_eraser', 'nologin'),
      ('leads_bi', 'nologin'),
      ('leads_api', 'login'),
      ('leads_worker', 'login'),
      ('leads_operator', 'login')
    ) as r (name, attributes)
    where not exists (select from pg_catalog.pg_roles as p where p.rolname = r.name)
  loop
    execute format('create role %I %s', v_role.name, v_role.attributes);
  end loop;
end $$;

-- The migrating login creates each object as the object's owner. No login stays a member of leads_audit or
-- leads_eraser: a migration that creates their objects grants itself the membership, and revokes it at the end.
do $$ begin execute format('grant leads_owner, leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser to %I', session_user); end $$;

-- PUBLIC may not execute a new function. (The form with IN SCHEMA would not remove PUBLIC's privilege.)
alter default privileges for role leads_owner, leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser
  revoke execute on functions from public;

create schema app authorization leads_owner;
create schema auth authorization leads_owner;
create schema audit authorization leads_owner;
create schema api authorization leads_owner;
create schema scoring authorization leads_owner;
create schema crm authorization leads_owner;
create schema bi authorization leads_owner;
create schema admin authorization leads_owner;

set local role leads_owner;

comment on schema app is 'Leads and their rules.';
comment on schema auth is 'API keys, analysts'' logins, and the functions that prove who makes a request.';
comment on schema audit is 'The append-only log of every change, and its chain of hashes.';
comment on schema api is 'The API: the functions that requests call, the routes, the errors and the reference.';
comment on schema scoring is 'Signals, scoring models, and the history of scores.';
comment on schema crm is 'Pushes leads to a CRM exactly once.';
comment on schema bi is 'Views for analysts. Each shows the rows of the analyst''s organization only.';
comment on schema admin is 'Functions for operators: the command line calls them.';

grant usage on schema app to leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser;
grant usage on schema auth to leads_auth, leads_exec, leads_jobs, leads_audit, leads_api;
grant usage on schema audit to leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser;
grant usage on schema api to leads_exec, leads_jobs, leads_api;
grant usage on schema scoring to leads_exec, leads_jobs, leads_eraser;
grant usage on schema crm to leads_exec, leads_jobs, leads_audit, leads_eraser, leads_worker;
grant usage on schema bi to leads_bi;
grant usage on schema admin to leads_jobs, leads_operator, leads_worker;

create procedure app.drop_policies(of_table regclass)
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  v_name name;
begin
  for v_name in select p.polname from pg_catalog.pg_policy as p where p.polrelid = of_table loop
    execute format('drop policy %I on %s', v_name, of_table);
  end loop;
end $$;

comment on procedure app.drop_policies(regclass) is
  'Drops all policies of a table. A file that creates the policies of a table calls it first.';

create procedure app.drop_triggers(of_table regclass)
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  v_name name;
begin
  for v_name in
    select t.tgname from pg_catalog.pg_trigger as t where t.tgrelid = of_table and not t.tgisinternal
  loop
    execute format('drop trigger %I on %s', v_name, of_table);
  end loop;
end $$;

comment on procedure app.drop_triggers(regclass) is
  'Drops all triggers of a table, except those of its foreign keys. A file that creates the triggers of a table calls it first.';

grant execute on procedure app.drop_policies(regclass), app.drop_triggers(regclass) to leads_auth;

reset role;

do $$ begin execute format('revoke leads_audit, leads_eraser from %I', session_user); end $$;
