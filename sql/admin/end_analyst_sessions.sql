-- admin.end_analyst_sessions - ends the sessions of an analyst's login, for leads bi rotate LOGIN.
set local role leads_jobs;

create or replace function admin.end_analyst_sessions(login text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp set lock_timeout = '2s'
as $$
begin
  if not exists (select from admin.analysts() as a where a.login = end_analyst_sessions.login) then
    raise sqlstate 'PT404' using message = 'analyst_not_found', hint = format(
      'There is no analyst "%s". To list them, run: leads bi list', end_analyst_sessions.login
    );
  end if;
  -- The creator of the role only has ADMIN OPTION on it. To end its sessions, the creator needs the
  -- role's privileges.
  execute format('grant %I to %I', end_analyst_sessions.login, current_user);
  perform pg_terminate_backend(a.pid, 5000)
  from pg_catalog.pg_stat_activity as a
  where a.usename = end_analyst_sessions.login;
  execute format('revoke %I from %I', end_analyst_sessions.login, current_user);
end $$;

comment on function admin.end_analyst_sessions(text) is
$$Ends the sessions of an analyst's login. Only the migrating login can execute it.

It waits up to 5 seconds for each session. Raises PT404 analyst_not_found.$$;
