-- admin.drop_analyst - the second step of leads bi revoke: ends the login's sessions and drops it.
set local role leads_jobs;

create or replace function admin.drop_analyst(login text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pg_catalog.pg_roles as r where r.rolname = drop_analyst.login) then
    return;
  end if;
  if
    exists (select from admin.analysts() as a where a.login = drop_analyst.login)
    or not exists (
      select
      from pg_catalog.pg_roles as r
      join pg_catalog.pg_auth_members as m on m.member = r.oid and m.roleid = 'leads_bi'::regrole
      where r.rolname = drop_analyst.login and not r.rolcanlogin and not r.rolsuper and not r.rolcreaterole
    )
  then
    raise sqlstate 'PT409' using message = 'analyst_not_revoked', hint = format(
      '"%s" isn''t a revoked login. Run: leads bi revoke %s', drop_analyst.login, drop_analyst.login
    );
  end if;
  -- The creator of a role only has ADMIN OPTION. To end its sessions takes the role's privileges.
  execute format('grant %I to %I', drop_analyst.login, current_user);
  perform pg_terminate_backend(a.pid, 5000)
  from pg_catalog.pg_stat_activity as a
  where a.usename = drop_analyst.login;
  execute format('drop role %I', drop_analyst.login);
end $$;

comment on function admin.drop_analyst(text) is
$$Ends the sessions of a revoked analyst's login, and drops the login if it exists. Only the migrating login can execute it.

It waits up to 5 seconds for each session. Raises PT409 analyst_not_revoked, and 2BP01 if an object depends on the login.$$;
