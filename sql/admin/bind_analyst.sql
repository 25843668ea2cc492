-- admin.bind_analyst - binds a login to one organization.
set local role leads_jobs;

create or replace function admin.bind_analyst(login text, organization_id uuid, expires_at timestamptz default null)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization_values := admin.organization(bind_analyst.organization_id);
  v_oid oid := (select r.oid from pg_catalog.pg_roles as r where r.rolname = bind_analyst.login);
begin
  -- This entry belongs to a login that was dropped. The new login has its oid.
  delete from auth.analyst as a where a.role_oid = v_oid and a.role_name <> bind_analyst.login;
  insert into auth.analyst (organization_id, role_oid, role_name, expires_at)
  values (v_organization.organization_id, v_oid, bind_analyst.login, bind_analyst.expires_at);
end $$;

comment on function admin.bind_analyst(text, uuid, timestamptz) is
$$Binds a login, by its oid and name, to one organization. Only admin.create_analyst calls it: no login may execute it.

Raises PT404 organization_not_found, and 23505 analyst_role_oid_is_unique if the login is already bound.$$;
