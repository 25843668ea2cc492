-- admin.redeliver_webhook - queues a delivery once more, for leads webhooks redeliver.
set local role leads_jobs;

create or replace function admin.redeliver_webhook(webhook_id uuid, delivery_id uuid)
returns setof api.webhook_delivery language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := admin.known_webhook(redeliver_webhook.webhook_id);
begin
  if webhook.redeliver(v_organization_id, redeliver_webhook.webhook_id, redeliver_webhook.delivery_id) is null then
    raise sqlstate 'PT404' using
      message = 'delivery_not_found',
      hint = format(
        'The webhook has no delivery %s. To list them, run: leads webhooks deliveries %s', redeliver_webhook.delivery_id,
        redeliver_webhook.webhook_id
      );
  end if;
  return query select (webhook.delivery_item(v_organization_id, redeliver_webhook.delivery_id)).*;
end $$;

comment on function admin.redeliver_webhook(uuid, uuid) is
  'Calls webhook.redeliver, and returns the delivery. Raises PT404 webhook_not_found and delivery_not_found, PT409 '
  'webhook_is_disabled.';

grant execute on function admin.redeliver_webhook(uuid, uuid) to leads_operator;
