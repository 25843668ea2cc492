-- admin.revoke_form - revokes the token of a form, for leads forms revoke.
set local role leads_jobs;

create or replace function admin.revoke_form(form_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := admin.known_form(revoke_form.form_id);
begin
  perform admin.revoke_key(f.key_id)
  from intake.form as f
  where f.organization_id = v_organization_id and f.id = revoke_form.form_id;
end $$;

comment on function admin.revoke_form(uuid) is
  'Revokes the token of the form. Its submissions stay. Raises PT404 form_not_found, PT409 key_not_good.';

grant execute on function admin.revoke_form(uuid) to leads_operator;
