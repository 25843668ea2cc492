-- webhook.keep_sealed_secret - stores a secret that a worker has sealed again.
set local role leads_jobs;

create or replace function webhook.keep_sealed_secret(
  organization_id uuid,
  endpoint_id uuid,
  old_secret bytea,
  new_secret bytea,
  key_id text
)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- Nothing is replaced if the secret was rotated meanwhile, unless it is the previous one now.
  update webhook.endpoint as p
  set secret = keep_sealed_secret.new_secret, secret_key = keep_sealed_secret.key_id, secret_is_bound = true
  where
    p.organization_id = keep_sealed_secret.organization_id and p.id = keep_sealed_secret.endpoint_id
    and p.secret = keep_sealed_secret.old_secret;
  if found then
    return;
  end if;
  update webhook.endpoint as p
  set
    previous_secret = keep_sealed_secret.new_secret, previous_secret_key = keep_sealed_secret.key_id,
    previous_is_bound = true
  where
    p.organization_id = keep_sealed_secret.organization_id and p.id = keep_sealed_secret.endpoint_id
    and p.previous_secret = keep_sealed_secret.old_secret;
end $$;

comment on function webhook.keep_sealed_secret(uuid, uuid, bytea, bytea, text) is
$$Replaces a sealed secret of a webhook, the current or the previous one, by the same secret, sealed again.

old_secret: as it was read. new_secret: sealed to the key with the id key_id, and bound to the webhook. The audit log
does not record it, because the secret is the same.$$;

grant execute on function webhook.keep_sealed_secret(uuid, uuid, bytea, bytea, text) to leads_worker;
