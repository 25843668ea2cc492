-- admin.create_form - creates a form, for leads forms create.
set local role leads_jobs;

create or replace function admin.create_form(organization_id uuid, settings jsonb)
returns api.form language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(create_form.organization_id)).organization_id;
  v_form record;
begin
  v_form := intake.create_form(v_organization_id, create_form.settings);
  -- Another statement, which sees the row.
  return intake.form_item(v_organization_id, v_form.form_id, v_form.token);
end $$;

comment on function admin.create_form(uuid, jsonb) is
  'The new form with its address, which is shown once. settings: a JSON object (api.form_input). Raises PT404 '
  'organization_not_found, PT409 organization_erased, PT422 validation_failed.';

grant execute on function admin.create_form(uuid, jsonb) to leads_operator;
