-- intake.create_own_form - creates a form for the organization whose admin key the request has proven.
set local role leads_jobs;

create or replace function intake.create_own_form(settings jsonb)
returns api.form language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_form record;
begin
  if v_organization_id is null then
    return null;
  end if;
  v_form := intake.create_form(v_organization_id, create_own_form.settings);
  -- Another statement, which sees the row.
  return intake.form_item(v_organization_id, v_form.form_id, v_form.token);
end $$;

comment on function intake.create_own_form(jsonb) is
  'The new form with its address. The caller cannot name another organization: without an admin key that this transaction has '
  'proven, nothing is created. Raises PT422 validation_failed.';

grant execute on function intake.create_own_form(jsonb) to leads_exec;
