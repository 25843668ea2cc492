-- auth.analyst_organization_id - the one organization that the login is bound to: what every policy of leads_bi asks.
set local role leads_auth;

create or replace function auth.analyst_organization_id()
returns uuid
language sql
stable
parallel safe
security definer
begin atomic
  select a.organization_id
  from auth.analyst as a
  join pg_catalog.pg_roles as r on r.oid = a.role_oid and r.rolname = a.role_name
  where
    -- Who logged in. No setting says it, and SET ROLE doesn't change it.
    r.rolname = session_user
    and (a.expires_at is null or a.expires_at > clock_timestamp());
end;

comment on function auth.analyst_organization_id() is
  'The organization that session_user is bound to, by oid and name; else null, which no row has.';

grant execute on function auth.analyst_organization_id() to leads_bi;
