-- admin.revoke_form - revokes the token of a form, for leads forms revoke.
set local role leads_jobs;

create or replace function admin.revoke_form(form_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := admin.known_form(revoke_form.form_id);
begin
  update auth.api_key as k
  set revoked_at = date_trunc('milliseconds', now())
  from intake.form as f
  where
    f.organization_id = v_organization_id and f.id = revoke_form.form_id
    and k.organization_id = v_organization_id and k.id = f.key_id
    and k.revoked_at is null;
  if not found then
    raise sqlstate 'PT409' using
      message = 'form_revoked_already', hint = format('The form %s is revoked already.', revoke_form.form_id);
  end if;
end $$;

comment on function admin.revoke_form(uuid) is
  'Revokes the token of the form. Its submissions stay. Raises PT404 form_not_found, PT409 form_revoked_already.';

grant execute on function admin.revoke_form(uuid) to leads_operator;
