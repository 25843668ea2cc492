-- admin.set_webhook - changes the settings and the state of a webhook, for leads webhooks set.
set local role leads_jobs;

create or replace function admin.set_webhook(webhook_id uuid, settings jsonb)
returns setof api.webhook language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := admin.known_webhook(set_webhook.webhook_id);
begin
  perform webhook.change_endpoint(v_organization_id, set_webhook.webhook_id, set_webhook.settings);
  return query select (webhook.endpoint_item(v_organization_id, set_webhook.webhook_id)).*;
end $$;

comment on function admin.set_webhook(uuid, jsonb) is
  'Changes a webhook, and returns it. settings: a JSON object (api.webhook_input; see webhook.change_endpoint). Raises PT404 '
  'webhook_not_found, PT422 validation_failed.';

grant execute on function admin.set_webhook(uuid, jsonb) to leads_operator;
