-- Roles, schemas and default privileges.
--
-- Run by a login with CREATEROLE that owns the database; it need not be a superuser. Roles belong to the whole
-- cluster: one that is there already (a second database, a restored dump) is kept as it is.
set local lock_timeout = '5s';
set local row_security = off;

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
end
$$;

-- The migrating login creates objects as their owners. Nobody stays a member of leads_audit and leads_eraser: a
-- migration that makes something of theirs grants the membership to itself and takes it back.
do $$
begin
  execute format('grant leads_owner, leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser to %I', session_user);
end
$$;

-- A function is nobody's to execute until a grant says so. (The form with IN SCHEMA would not take PUBLIC's away.)
alter default privileges for role leads_owner revoke execute on functions from public;
alter default privileges for role leads_auth revoke execute on functions from public;
alter default privileges for role leads_exec revoke execute on functions from public;
alter default privileges for role leads_jobs revoke execute on functions from public;
alter default privileges for role leads_audit revoke execute on functions from public;
alter default privileges for role leads_eraser revoke execute on functions from public;

create schema app authorization leads_owner;
create schema auth authorization leads_owner;
create schema audit authorization leads_owner;
create schema api authorization leads_owner;
create schema admin authorization leads_owner;

set local role leads_owner;

comment on schema app is 'Leads and their rules.';
comment on schema auth is 'Who is asking: keys, and the functions that prove a claim.';
comment on schema audit is 'The append-only log of every change.';
comment on schema api is 'What a client reaches: functions, the route table, the errors.';
comment on schema admin is 'What an operator reaches: the functions behind the command line.';

grant usage on schema app to leads_auth, leads_exec, leads_jobs, leads_audit;
grant usage on schema auth to leads_auth, leads_exec, leads_jobs, leads_audit, leads_api;
grant usage on schema audit to leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser;
grant usage on schema api to leads_exec, leads_jobs, leads_api;
grant usage on schema admin to leads_jobs, leads_operator;

reset role;

do $$
begin
  execute format('revoke leads_audit, leads_eraser from %I', session_user);
end
$$;
