-- api.update_webhook - PATCH /webhooks/{id}.
set local role leads_exec;

create or replace function api.update_webhook(id uuid, body text, if_match api.entity_tags default null)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_settings jsonb := app.read_object(update_webhook.body);
  v_item api.webhook;
begin
  -- Locked before the tag is compared: of ten that race with one tag, one wins.
  perform
  from webhook.endpoint as p
  where p.organization_id = v_organization_id and p.id = update_webhook.id
  for no key update;
  if not found then
    return null;
  end if;
  v_item := webhook.endpoint_item(v_organization_id, update_webhook.id);
  if not app.is_etag_matched(update_webhook.if_match, webhook.endpoint_etag(v_item)) then
    perform app.raise_precondition_failed(update_webhook.if_match);
  end if;
  perform webhook.change_endpoint(v_organization_id, update_webhook.id, v_settings);
  v_item := webhook.endpoint_item(v_organization_id, update_webhook.id);
  return row(200, json_build_object('ETag', webhook.endpoint_etag(v_item)), row_to_json(v_item)::text);
end $$;

comment on function api.update_webhook(uuid, text, api.entity_tags) is
$$Change a webhook.

The body is a JSON merge patch (RFC 7396): a field that you leave out keeps its value. "actions": null chooses all actions.
"state": "disabled" stops the deliveries. "state": "enabled" starts them again, also those of a webhook that was disabled
because its receiver failed: it then gets all events that it missed, in order, unless "skip_missed" is true. With If-Match,
the change is made only if the webhook still has that tag; otherwise the response is 412.$$;

grant execute on function api.update_webhook(uuid, text, api.entity_tags) to leads_api;

set local role leads_owner;
call api.document(
  'api.update_webhook', tag => 'Webhooks', request => 'api.webhook_input', answer => 'api.webhook', headers => '{ETag}'
);
