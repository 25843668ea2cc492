-- admin.test_webhook - queues a test of a webhook, for leads webhooks test.
set local role leads_jobs;

create or replace function admin.test_webhook(webhook_id uuid)
returns setof api.webhook_delivery language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := admin.known_webhook(test_webhook.webhook_id);
  v_delivery_id uuid := webhook.send_test(v_organization_id, test_webhook.webhook_id);
begin
  return query select (webhook.delivery_item(v_organization_id, v_delivery_id)).*;
end $$;

comment on function admin.test_webhook(uuid) is
  'Calls webhook.send_test, and returns the delivery. Raises PT404 webhook_not_found, PT409 webhook_is_disabled.';

grant execute on function admin.test_webhook(uuid) to leads_operator;
