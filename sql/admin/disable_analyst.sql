-- admin.disable_analyst - the second step of leads bi revoke: then the login can't open a session.
set local role leads_jobs;

create or replace function admin.disable_analyst(login text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp set lock_timeout = '2s'
as $$
begin
  if
    exists (
      select
      from pg_catalog.pg_roles as r
      join pg_catalog.pg_auth_members as m on m.member = r.oid and m.roleid = 'leads_bi'::regrole
      -- A login that can do more than read isn't an analyst's login, and isn't dropped here.
      where r.rolname = disable_analyst.login and r.rolcanlogin and not r.rolsuper and not r.rolcreaterole
    )
    and not exists (select from admin.analysts() as a where a.login = disable_analyst.login)
  then
    -- A session of the login can have locked the role: ALTER ROLE changes its own password.
    perform admin.signal_analyst(disable_analyst.login);
    execute format('alter role %I nologin', disable_analyst.login);
  end if;
end $$;

comment on function admin.disable_analyst(text) is
$$Sets a login that admin.revoke_analyst has unbound to NOLOGIN, and tells its sessions to end. After the commit it can't open
a new session.

It does nothing if there is no such login. admin.drop_analyst then waits for the end of the sessions in a separate transaction.
Only the migrating login can execute it. Raises 55P03 if another transaction locks the role for 2 seconds.$$;
