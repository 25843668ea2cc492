-- api.delete_webhook - DELETE /webhooks/{id}.
set local role leads_exec;

create or replace function api.delete_webhook(id uuid)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_item api.webhook := webhook.endpoint_item(v_organization_id, delete_webhook.id);
begin
  delete from webhook.endpoint as p where p.organization_id = v_organization_id and p.id = delete_webhook.id;
  if not found then
    return null;
  end if;
  return row(200, null::json, row_to_json(v_item)::text);
end $$;

comment on function api.delete_webhook(uuid) is
$$Delete a webhook.

Nothing more is sent to it, and its secret and its deliveries are deleted. A message that is being sent at this moment still arrives. The response is the
webhook as it was. To stop the deliveries for a time, disable it instead: PATCH /webhooks/{id}.$$;

grant execute on function api.delete_webhook(uuid) to leads_api;

set local role leads_owner;
call api.document('api.delete_webhook', tag => 'Webhooks', answer => 'api.webhook');
