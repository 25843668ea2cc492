-- admin.set_form - changes the settings of a form, for leads forms set.
set local role leads_jobs;

create or replace function admin.set_form(form_id uuid, settings jsonb)
returns setof api.form language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := admin.known_form(set_form.form_id);
  v_settings jsonb := set_form.settings;
begin
  if v_settings ? 'secret' then
    raise sqlstate 'PT422' using
      message = 'secret_is_fixed',
      hint = 'The secret is encrypted with the token, which is not stored. Create another form.';
  end if;
  if v_settings ? 'preset' and exists (
    select
    from intake.form as f
    where
      f.organization_id = v_organization_id and f.id = set_form.form_id and f.credential is not null
      and f.preset is distinct from v_settings ->> 'preset'
  ) then
    raise sqlstate 'PT422' using
      message = 'preset_is_fixed',
      hint = 'The form has the secret of its sender, which another preset would not check. Create another form.';
  end if;
  perform app.raise_faults(422, 'validation_failed', intake.form_faults(v_organization_id, v_settings));
  update intake.form as f
  set
    name = case when v_settings ? 'name' then app.clean_text(v_settings ->> 'name') else f.name end,
    preset = case when v_settings ? 'preset' then v_settings ->> 'preset' else f.preset end,
    source = coalesce(v_settings ->> 'source', f.source),
    mapping = coalesce(nullif(v_settings -> 'mapping', 'null'), f.mapping),
    constants = coalesce(nullif(v_settings -> 'constants', 'null'), f.constants),
    origins = case
      when jsonb_typeof(v_settings -> 'origins') = 'array'
        then array(select o.origin from jsonb_array_elements_text(v_settings -> 'origins') as o (origin))
      else f.origins
    end,
    honeypot = case when v_settings ? 'honeypot' then v_settings ->> 'honeypot' else f.honeypot end,
    redirect_url = case when v_settings ? 'redirect_url' then v_settings ->> 'redirect_url' else f.redirect_url end,
    on_duplicate = coalesce(v_settings ->> 'on_duplicate', f.on_duplicate),
    duplicate_hours = coalesce((v_settings ->> 'duplicate_hours')::numeric::integer, f.duplicate_hours),
    requests_per_minute = coalesce((v_settings ->> 'requests_per_minute')::numeric::integer, f.requests_per_minute)
  where f.organization_id = v_organization_id and f.id = set_form.form_id;
  return query select (intake.form_item(v_organization_id, set_form.form_id, null)).*;
end $$;

comment on function admin.set_form(uuid, jsonb) is
$$Changes the settings of a form, and returns it.

settings: a JSON object (api.form_input). A setting that is left out stays. null removes name, preset, honeypot and
redirect_url. Raises PT404 form_not_found, PT422 secret_is_fixed, preset_is_fixed and validation_failed.$$;

grant execute on function admin.set_form(uuid, jsonb) to leads_operator;
