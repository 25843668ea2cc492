-- admin.revoke_analyst - leads bi revoke LOGIN, the first half: from its commit on the login sees nothing.
set local role leads_jobs;

create or replace function admin.revoke_analyst(login text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_ours boolean := exists (
    select
    from pg_catalog.pg_roles as r
    where
      r.rolname = revoke_analyst.login
      -- Who can do more than read isn't an analyst's login, and isn't dropped here.
      and not r.rolsuper and not r.rolcreaterole
      and exists (
        select
        from pg_catalog.pg_auth_members as m
        where m.member = r.oid and m.roleid = 'leads_bi'::regrole
      )
  );
begin
  if not v_is_ours and not exists (select from admin.analysts() as a where a.login = revoke_analyst.login) then
    raise sqlstate 'PT404' using message = 'analyst_not_found', hint = format(
      'There is no analyst "%s". "leads bi list" shows them.', revoke_analyst.login
    );
  end if;
  perform admin.unbind_analyst(revoke_analyst.login);
  if v_is_ours then
    execute format('alter role %I nologin', revoke_analyst.login);
  end if;
end $$;

comment on function admin.revoke_analyst(text) is
$$Takes its organization from an analyst's login, and bars it: once committed, no new session can be opened.

admin.drop_analyst then ends the login's sessions, in a transaction of its own: an open one of the analyst's may still have
its snapshot. For the migrating login. Raises PT404 analyst_not_found.$$;
