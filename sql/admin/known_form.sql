-- admin.known_form - returns the organization of a form, which must exist.
set local role leads_jobs;

create or replace function admin.known_form(form_id uuid)
returns uuid language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- The organization isn't known before the form is found.
  v_organization_id uuid := (select f.organization_id from intake.form as f where f.id = known_form.form_id);
begin
  if v_organization_id is null then
    raise sqlstate 'PT404' using
      message = 'form_not_found',
      hint = format('There is no form %s. To list the forms, run: leads forms list', known_form.form_id);
  end if;
  return v_organization_id;
end $$;

comment on function admin.known_form(uuid) is 'The organization of the form. Raises PT404 form_not_found.';
