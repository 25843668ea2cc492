-- admin.known_organization - one organization, which must be there; an erased one too.
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
        'There is no organization %s. "leads organizations list" shows them.', known_organization.organization_id
      );
  end if;
  return v_organization;
end $$;

comment on function admin.known_organization(uuid) is
  'The organization; of an erased one the name is null. Raises PT404 organization_not_found.';

grant execute on function admin.known_organization(uuid) to leads_operator;
