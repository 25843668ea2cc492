-- api.test_webhook - POST /webhooks/{id}/test.
set local role leads_exec;

create or replace function api.test_webhook(id uuid)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_delivery_id uuid := webhook.send_test(v_organization_id, test_webhook.id);
begin
  if v_delivery_id is null then
    return null;
  end if;
  return row(202, null::json, row_to_json(webhook.delivery_item(v_organization_id, v_delivery_id))::text)::api.answer;
end $$;

comment on function api.test_webhook(uuid) is
$$Send a test to a webhook.

The worker sends a message of the type webhook.test next, also while the webhook pauses after failures. It is tried once. GET
/webhooks/{id}/deliveries shows the result. If the test succeeds, all messages that wait are sent at once. The webhook must be
enabled. A body is ignored.$$;

grant execute on function api.test_webhook(uuid) to leads_api;

set local role leads_owner;
call api.document(
  'api.test_webhook', tag => 'Webhooks', answer => 'api.webhook_delivery', statuses => '{202}',
  problems => '{webhook_is_disabled}'
);
