-- api.create_form - POST /forms.
set local role leads_exec;

create or replace function api.create_form(body text)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_form record;
begin
  v_form := intake.create_form(v_organization_id, app.read_object(create_form.body));
  -- Another statement, which sees the row.
  return row(201, null::json, row_to_json(intake.form_item(v_organization_id, v_form.form_id, v_form.token))::text);
end $$;

comment on function api.create_form(text) is
$$Create a form.

A form is an address, with a token in it, to which anything can post leads: a web page, an automation tool, or a service that
has a preset. address is the path of that address on this server. It is shown once, so keep it. mapping says where values
go: {"fields.budget": "budget_range", "Roof age": "details.roof_age", "utm_*": "ignore"}. constants are values that each lead
has. A value without a place goes into the details.$$;

grant execute on function api.create_form(text) to leads_api;

set local role leads_owner;
call api.document(
  'api.create_form', tag => 'Forms', request => 'api.form_input', answer => 'api.form', statuses => '{201}'
);
