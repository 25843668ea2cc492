-- audit.is_migrating_login - tells whether the session's login is the one that runs the migrations.
set local role leads_audit;

create or replace function audit.is_migrating_login()
returns boolean language sql stable parallel safe
begin atomic
  select exists (
    select
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as granted on granted.oid = m.roleid
    join pg_catalog.pg_roles as login on login.oid = m.member
    where granted.rolname = 'leads_owner' and login.rolname = session_user
  );
end;

comment on function audit.is_migrating_login() is
  'Whether session_user is a member of leads_owner. Only the migrating login is: it grants itself the role.';

grant execute on function audit.is_migrating_login() to leads_jobs;
