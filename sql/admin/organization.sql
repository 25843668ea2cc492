-- admin.organization - returns an organization, which must exist and not be erased.
set local role leads_jobs;

create or replace function admin.organization(organization_id uuid)
returns app.organization_values language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization_values := admin.known_organization(organization.organization_id);
begin
  if v_organization.erased_at is not null then
    raise sqlstate 'PT409' using
      message = 'organization_erased',
      hint = format(
        'The organization %s was erased at %s.', organization.organization_id, app.utc_text(v_organization.erased_at)
      );
  end if;
  return v_organization;
end $$;

comment on function admin.organization(uuid) is 'The organization. Raises PT404 organization_not_found, PT409 organization_erased.';

grant execute on function admin.organization(uuid) to leads_operator;
