-- admin.known_organization - returns an organization, which must exist but may be erased.
set local role leads_jobs;

create or replace function admin.known_organization(organization_id uuid)
returns app.organization_values language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization_values;
begin
  select o.* into v_organization
  from app.organization as o
  where o.organization_id = known_organization.organization_id;
  if not found then
    raise sqlstate 'PT404' using
      message = 'organization_not_found',
      hint = format(
        'There is no organization %s. To list them, run: leads organizations list', known_organization.organization_id
      );
  end if;
  return v_organization;
end $$;

comment on function admin.known_organization(uuid) is
  'The organization. The name of an erased organization is null. Raises PT404 organization_not_found.';

grant execute on function admin.known_organization(uuid) to leads_operator;
