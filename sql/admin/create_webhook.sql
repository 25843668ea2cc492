-- admin.create_webhook - creates a webhook, for leads webhooks create.
set local role leads_jobs;

create or replace function admin.create_webhook(
  organization_id uuid,
  settings jsonb,
  sealed_secret bytea,
  sealing_key text
)
returns setof api.webhook language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(create_webhook.organization_id)).organization_id;
  v_id uuid := webhook.create_endpoint(
    v_organization_id, create_webhook.settings, create_webhook.sealed_secret, create_webhook.sealing_key
  );
begin
  return query select (webhook.endpoint_item(v_organization_id, v_id)).*;
end $$;

comment on function admin.create_webhook(uuid, jsonb, bytea, text) is
$$Creates a webhook, and returns it without its secret, which the caller has.

settings: a JSON object (api.new_webhook_input). sealed_secret: the secret, sealed to the public key with the id sealing_key
(admin.sealing_key). Raises PT404 organization_not_found, PT409 organization_erased and too_many_webhooks, PT422
validation_failed.$$;

grant execute on function admin.create_webhook(uuid, jsonb, bytea, text) to leads_operator;
