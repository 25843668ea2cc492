-- admin.bind_moved_analyst - binds an analyst's login of this cluster to an organization that has moved here.
set local role leads_jobs;

create or replace function admin.bind_moved_analyst(login text, organization_id uuid, expires_at timestamptz default null)
returns text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from auth.analyst as a
    join pg_catalog.pg_roles as r on r.oid = a.role_oid and r.rolname = a.role_name
    where a.role_name = bind_moved_analyst.login
  )
  then
    return 'already_bound';
  end if;
  if not exists (
    select
    from pg_catalog.pg_roles as r
    join pg_catalog.pg_auth_members as m on m.member = r.oid
    join pg_catalog.pg_roles as g on g.oid = m.roleid
    where
      r.rolname = bind_moved_analyst.login and g.rolname = 'leads_bi' and r.rolcanlogin
      and not r.rolsuper and not r.rolbypassrls
  )
  or exists (select from auth.analyst as a where a.role_name = bind_moved_analyst.login)
  then
    return 'unknown_login';
  end if;
  perform admin.bind_analyst(bind_moved_analyst.login, bind_moved_analyst.organization_id, bind_moved_analyst.expires_at);
  return 'bound';
end $$;

comment on function admin.bind_moved_analyst(text, uuid, timestamptz) is
$$Binds a login that is an analyst's and that is bound to no organization: one that was bound before the organization moved away.

Returns bound; already_bound, to this organization or another one; or unknown_login, if this cluster has no such login. Then leads bi
create makes one, with a new password: passwords can't be carried. Raises PT404 organization_not_found, and what
audit.check_placement raises.$$;

grant execute on function admin.bind_moved_analyst(text, uuid, timestamptz) to leads_operator;
