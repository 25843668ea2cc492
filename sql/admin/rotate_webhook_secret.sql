-- admin.rotate_webhook_secret - replaces the secret of a webhook, for leads webhooks rotate-secret.
set local role leads_jobs;

create or replace function admin.rotate_webhook_secret(
  webhook_id uuid,
  sealed_secret bytea,
  sealing_key text,
  overlap interval default '24 hours'
)
returns setof api.webhook language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := admin.known_webhook(rotate_webhook_secret.webhook_id);
begin
  if rotate_webhook_secret.overlap not between interval '0' and interval '168 hours' then
    raise sqlstate 'PT422' using message = 'invalid_overlap', hint = 'The overlap can be 0 to 168 hours.';
  end if;
  perform webhook.rotate_secret(
    v_organization_id, rotate_webhook_secret.webhook_id, rotate_webhook_secret.sealed_secret,
    rotate_webhook_secret.sealing_key, rotate_webhook_secret.overlap
  );
  return query select (webhook.endpoint_item(v_organization_id, rotate_webhook_secret.webhook_id)).*;
end $$;

comment on function admin.rotate_webhook_secret(uuid, bytea, text, interval) is
  'Replaces the secret of a webhook (see webhook.rotate_secret), and returns the webhook. Raises PT404 webhook_not_found, '
  'PT422 invalid_overlap.';

grant execute on function admin.rotate_webhook_secret(uuid, bytea, text, interval) to leads_operator;
