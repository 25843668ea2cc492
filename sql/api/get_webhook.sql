-- api.get_webhook - GET /webhooks/{id}.
set local role leads_exec;

create or replace function api.get_webhook(id uuid)
returns api.answer language sql stable security definer
begin atomic
  select row(
    200, json_build_object('ETag', webhook.endpoint_etag(i.item)), row_to_json(i.item)::text
  )::api.answer
  from webhook.endpoint as p
  cross join lateral (select webhook.endpoint_item(p.organization_id, p.id) as item offset 0) as i
  where p.organization_id = (select auth.organization_id('admin')) and p.id = get_webhook.id;
end;

comment on function api.get_webhook(uuid) is
$$Get a webhook.

The secret is not shown.$$;

grant execute on function api.get_webhook(uuid) to leads_api;

set local role leads_owner;
call api.document('api.get_webhook', tag => 'Webhooks', answer => 'api.webhook', headers => '{ETag}');
