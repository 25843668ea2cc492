-- admin.create_organization - creates an organization, for leads organizations create.
set local role leads_jobs;

create or replace function admin.create_organization(name text, environment text)
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := app.new_id();
begin
  if
    app.is_text(app.clean_text(create_organization.name), 255) is not true
    or app.control_character(app.clean_text(create_organization.name)) is not null
  then
    raise sqlstate 'PT422' using
      message = 'invalid_name',
      hint = 'The name must have 1 to 255 characters, and no control characters.';
  end if;
  insert into app.organization (organization_id, name, environment)
  values (v_organization_id, app.clean_text(create_organization.name), create_organization.environment);
  return v_organization_id;
end $$;

comment on function admin.create_organization(text, text) is
  'Creates an organization with the six default pipeline stages, and returns its id. environment: "live" or "test". '
  'Raises PT422 invalid_name.';

grant execute on function admin.create_organization(text, text) to leads_operator;
