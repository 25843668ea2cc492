-- api.redeliver_webhook - POST /webhooks/{id}/deliveries/{delivery_id}/redeliver.
set local role leads_exec;

create or replace function api.redeliver_webhook(id uuid, delivery_id uuid)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
begin
  if webhook.redeliver(v_organization_id, redeliver_webhook.id, redeliver_webhook.delivery_id) is null then
    return null;
  end if;
  return row(
    202, null::json, row_to_json(webhook.delivery_item(v_organization_id, redeliver_webhook.delivery_id))::text
  )::api.answer;
end $$;

comment on function api.redeliver_webhook(uuid, uuid) is
$$Send a delivery again.

The worker sends the message next, with the same id, so that a receiver that has it can ignore it. It may arrive after later
events of the same lead: compare data.position. If it fails, it is tried again like a new one. A delivery that is pending is tried at
once, unless an earlier one of its lead waits. The webhook must be enabled. A body is ignored.$$;

grant execute on function api.redeliver_webhook(uuid, uuid) to leads_api;

set local role leads_owner;
call api.document(
  'api.redeliver_webhook', tag => 'Webhooks', answer => 'api.webhook_delivery', statuses => '{202}',
  problems => '{webhook_is_disabled}'
);
