-- admin.alter_analyst - changes an analyst's login, for leads bi alter and leads bi rotate.
set local role leads_jobs;

create or replace function admin.alter_analyst(login text, connections integer default null, verifier text default null)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp set lock_timeout = '2s'
as $$
declare
  v_limit integer := (select r.rolconnlimit from pg_catalog.pg_roles as r where r.rolname = alter_analyst.login);
begin
  if not exists (
    select from admin.analysts() as a where a.login = alter_analyst.login and a.state in ('good', 'expired')
  ) then
    raise sqlstate 'PT404' using message = 'analyst_not_found', hint = format(
      'There is no analyst "%s". To list them, run: leads bi list', alter_analyst.login
    );
  end if;
  if alter_analyst.verifier !~ '^SCRAM-SHA-256\$' then
    raise sqlstate 'PT422' using message = 'invalid_verifier', hint =
      'The verifier must be a SCRAM-SHA-256 verifier (RFC 5803) and not the password.';
  end if;
  if alter_analyst.verifier is not null then
    perform admin.signal_analyst(alter_analyst.login);
  end if;
  perform admin.limit_analyst(alter_analyst.login, coalesce(alter_analyst.connections, nullif(v_limit, -1), 20));
  if alter_analyst.verifier is not null then
    execute format('alter role %I password %L', alter_analyst.login, alter_analyst.verifier);
  end if;
end $$;

comment on function admin.alter_analyst(text, integer, text) is
$$Changes the number of connections or the password of an analyst's login, and sets the limits of this release.

connections, verifier: null keeps the present one. verifier: the new password's SCRAM-SHA-256 verifier (RFC 5803). With a new
password, it tells the login's sessions to end, and admin.end_analyst_sessions waits for that. Without, open sessions keep
running. Only the migrating login can execute it. Raises PT404 analyst_not_found, PT422 out_of_range and invalid_verifier, and
55P03 if another transaction locks the role for 2 seconds.$$;
