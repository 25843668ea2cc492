-- admin.analysts - lists the analysts' logins, for leads bi list.
set local role leads_jobs;

create or replace function admin.analysts(organization_id uuid default null)
returns table (
  login text,
  organization_id uuid,
  organization text,
  state text,
  created_at text,
  expires_at text
)
language sql stable security definer
begin atomic
  select
    a.role_name::text,
    a.organization_id,
    o.name,
    case
      when r.rolname is distinct from a.role_name then 'gone'
      when not r.rolcanlogin then 'revoked'
      when a.expires_at <= now() then 'expired'
      else 'good'
    end,
    app.utc_text(a.created_at),
    app.utc_text(a.expires_at)
  from auth.analyst as a
  join app.organization as o on o.organization_id = a.organization_id
  left join pg_catalog.pg_roles as r on r.oid = a.role_oid
  where a.organization_id = analysts.organization_id or analysts.organization_id is null
  order by a.created_at, a.role_name;
end;

comment on function admin.analysts(uuid) is
$$The analysts of an organization, the oldest first. organization_id: null for all organizations.

state: "good", "expired", "revoked" (the login is being removed) or "gone" (the cluster has no such login; leads bi revoke
removes the entry).$$;

grant execute on function admin.analysts(uuid) to leads_operator;
