-- admin.signal_analyst - tells the sessions of an analyst's login to end, and doesn't wait for it.
set local role leads_jobs;

create or replace function admin.signal_analyst(login text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp set lock_timeout = '2s'
as $$
begin
  -- The creator of the role only has ADMIN OPTION on it. To end its sessions, the creator needs the
  -- role's privileges.
  execute format('grant %I to %I', signal_analyst.login, current_user);
  perform pg_terminate_backend(a.pid)
  from pg_catalog.pg_stat_activity as a
  where a.usename = signal_analyst.login;
  execute format('revoke %I from %I', signal_analyst.login, current_user);
end $$;

comment on function admin.signal_analyst(text) is
$$Tells the sessions of an analyst's login to end. Only the migrating login can execute it.

The caller then alters the role at once. It waits for the lock of a session that ends, before a new session can. Raises 55P03
after 2 seconds.$$;
