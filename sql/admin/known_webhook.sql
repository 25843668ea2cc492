-- admin.known_webhook - returns the organization of a webhook, which must exist.
set local role leads_jobs;

create or replace function admin.known_webhook(webhook_id uuid)
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- The organization isn't known before the webhook is found.
  v_organization_id uuid := (
    select p.organization_id from webhook.endpoint as p where p.id = known_webhook.webhook_id
  );
begin
  if v_organization_id is null then
    raise sqlstate 'PT404' using
      message = 'webhook_not_found',
      hint = format('There is no webhook %s. To list the webhooks, run: leads webhooks list', known_webhook.webhook_id);
  end if;
  perform
  from webhook.endpoint as p
  where p.organization_id = v_organization_id and p.id = known_webhook.webhook_id
  for no key update;
  return v_organization_id;
end $$;

comment on function admin.known_webhook(uuid) is
  'Locks the webhook, and returns its organization. Raises PT404 webhook_not_found.';
