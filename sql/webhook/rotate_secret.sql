-- webhook.rotate_secret - replaces the secret of a webhook.
set local role leads_owner;

create or replace function webhook.rotate_secret(
  organization_id uuid,
  endpoint_id uuid,
  sealed_secret bytea,
  sealing_key text,
  overlap interval
)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  -- The trigger _500_stamp keeps the previous secret.
  update webhook.endpoint as p
  set
    secret = rotate_secret.sealed_secret,
    secret_key = rotate_secret.sealing_key,
    secret_is_bound = false,
    previous_expires_at = case when rotate_secret.overlap > interval '0' then
      date_trunc('milliseconds', clock_timestamp() + rotate_secret.overlap)
    end
  where p.organization_id = rotate_secret.organization_id and p.id = rotate_secret.endpoint_id;
end $$;

comment on function webhook.rotate_secret(uuid, uuid, bytea, text, interval) is
  'Replaces the secret of a webhook. The previous one signs too, until the overlap ends; one before it ends now.';

grant execute on function webhook.rotate_secret(uuid, uuid, bytea, text, interval) to leads_exec, leads_jobs;
