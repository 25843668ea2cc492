-- auth.analyst_organization_id - the organization of an analyst's login, for leads_bi's policies.
set local role leads_auth;

create or replace function auth.analyst_organization_id()
returns uuid language sql stable parallel safe security definer
begin atomic
  select a.organization_id
  from auth.analyst as a
  join pg_catalog.pg_roles as r on r.oid = a.role_oid and r.rolname = a.role_name
  where
    -- session_user: neither a setting nor SET ROLE changes it.
    r.rolname = session_user
    and (a.expires_at is null or a.expires_at > clock_timestamp());
end;

comment on function auth.analyst_organization_id() is
$$The organization that session_user may read; null if there is none or the login has expired.

The login is compared by oid and by name. No row has the organization null.$$;

grant execute on function auth.analyst_organization_id() to leads_bi;
