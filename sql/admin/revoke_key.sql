-- admin.revoke_key - revokes an API key, for leads keys revoke ID.
set local role leads_jobs;

create or replace function admin.revoke_key(id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.good_key(revoke_key.id)).organization_id;
begin
  update auth.api_key as k
  set revoked_at = date_trunc('milliseconds', now())
  where k.organization_id = v_organization_id and k.id = revoke_key.id;
end $$;

comment on function admin.revoke_key(uuid) is 'Revokes a key. Raises PT404 key_not_found, PT409 key_not_valid.';

grant execute on function admin.revoke_key(uuid) to leads_operator;
