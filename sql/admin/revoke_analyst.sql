-- admin.revoke_analyst - the first step of leads bi revoke: then the login sees no row.
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
      -- A login that can do more than read isn't an analyst's login (admin.disable_analyst).
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
      'There is no analyst "%s". To list them, run: leads bi list', revoke_analyst.login
    );
  end if;
  perform admin.unbind_analyst(revoke_analyst.login);
end $$;

comment on function admin.revoke_analyst(text) is
$$Unbinds an analyst's login from its organization. After the commit its sessions see no row.

No lock of the analyst can delay it, because it doesn't change the role: admin.disable_analyst does in a separate transaction.
Only the migrating login can execute it. Raises PT404 analyst_not_found.$$;
