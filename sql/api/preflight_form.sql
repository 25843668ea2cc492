-- api.preflight_form - OPTIONS /in/{token}.
set local role leads_intake;

create or replace function api.preflight_form(request_headers text)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('form');
  v_origins text[];
begin
  select f.origins into v_origins
  from intake.form as f
  where f.organization_id = v_organization_id and f.key_id = auth.key_id();
  return row(
    200,
    json_strip_nulls(json_build_object(
      'Access-Control-Allow-Origin', intake.allowed_origin(v_origins, preflight_form.request_headers::jsonb),
      'Access-Control-Allow-Methods', 'POST',
      'Access-Control-Allow-Headers', 'Content-Type',
      'Access-Control-Max-Age', '600',
      'Vary', 'Origin'
    )),
    null::text
  );
end $$;

comment on function api.preflight_form(text) is
  'Whether a page of another origin may send to the form, as a browser asks it before it sends JSON (Fetch standard, section '
  '"CORS-preflight fetch").';

grant execute on function api.preflight_form(text) to leads_api;
