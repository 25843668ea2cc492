-- intake.create_form - creates a form and its token.
set local role leads_owner;

create or replace function intake.create_form(organization_id uuid, settings jsonb, out form_id uuid, out token text)
returns record language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := create_form.organization_id;
  v_settings jsonb := jsonb_strip_nulls(create_form.settings);
  v_claim bytea;
  v_nonce bytea := uuid_send(gen_random_uuid());
begin
  perform app.raise_faults(422, 'validation_failed', intake.form_faults(v_organization_id, v_settings));
  form_id := app.new_id();
  -- 244 random bits.
  token := concat(
    'lf_',
    (select o.environment from app.organization as o where o.organization_id = v_organization_id),
    '_',
    translate(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'), '+/=', '-_')
  );
  v_claim := sha256(convert_to(token, 'UTF8'));
  insert into intake.form (
    organization_id, id, key_id, name, preset, source, mapping, constants, origins, honeypot, redirect_url, on_duplicate,
    duplicate_hours, requests_per_minute, credential
  )
  values (
    v_organization_id,
    form_id,
    auth.add_form_key(v_organization_id, app.clean_text(v_settings ->> 'name'), sha256(v_claim)),
    app.clean_text(v_settings ->> 'name'),
    v_settings ->> 'preset',
    coalesce(
      v_settings ->> 'source', (select p.source from intake.preset as p where p.name = v_settings ->> 'preset'), 'website'
    ),
    coalesce(v_settings -> 'mapping', '{}'),
    coalesce(v_settings -> 'constants', '{}'),
    array(select o.origin from jsonb_array_elements_text(coalesce(v_settings -> 'origins', '[]')) as o (origin)),
    v_settings ->> 'honeypot',
    v_settings ->> 'redirect_url',
    coalesce(v_settings ->> 'on_duplicate', 'create'),
    coalesce((v_settings ->> 'duplicate_hours')::numeric::integer, 24),
    coalesce((v_settings ->> 'requests_per_minute')::numeric::integer, 60),
    v_nonce || intake.encrypted(convert_to(app.clean_text(v_settings ->> 'secret'), 'UTF8'), v_claim, v_nonce)
  );
end $$;

comment on function intake.create_form(uuid, jsonb) is
$$Creates a form and returns its id and its token, which is shown once: only the SHA-256 of its SHA-256 is stored.

settings: a JSON object (api.form_input). Raises PT401
unauthorized (auth.add_form_key) and PT422 validation_failed.$$;

grant execute on function intake.create_form(uuid, jsonb) to leads_exec, leads_jobs;
