-- api.session_faults - checks that the session's login may serve requests.
set local role leads_exec;

create or replace function api.session_faults()
returns setof text language sql stable security definer
begin atomic
  select format('The login "%s" is a superuser, so row-level security doesn''t apply.', r.rolname)
  from pg_catalog.pg_roles as r
  where r.rolname = session_user and r.rolsuper
  union all
  select format('The login "%s" has BYPASSRLS, so row-level security doesn''t apply.', r.rolname)
  from pg_catalog.pg_roles as r
  where r.rolname = session_user and r.rolbypassrls and not r.rolsuper
  union all
  select format('The login "%s" is a member of %s, which owns objects.', session_user, o.rolname)
  from auth.roles() as e
  join pg_catalog.pg_roles as o on o.rolname = e.name
  where
    e.kind in ('owner', 'sealed')
    and pg_has_role(session_user, o.oid, 'member')
    and not exists (select from pg_catalog.pg_roles as s where s.rolname = session_user and s.rolsuper);
end;

comment on function api.session_faults() is
$$A sentence for each reason why the login must not serve requests; no row if it may.

The reasons: it is a superuser, it has BYPASSRLS, or it is a member of a role that owns objects.$$;

grant execute on function api.session_faults() to public;
