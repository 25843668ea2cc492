-- webhook.create_endpoint - creates a webhook.
set local role leads_owner;

create or replace function webhook.create_endpoint(
  organization_id uuid,
  settings jsonb,
  sealed_secret bytea,
  sealing_key text
)
returns uuid language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := create_endpoint.organization_id;
  v_settings jsonb := create_endpoint.settings;
  v_id uuid := app.new_id();
begin
  perform app.raise_faults(422, 'validation_failed', webhook.endpoint_faults(v_settings, true));
  if (select count(*) >= 20 from webhook.endpoint as p where p.organization_id = v_organization_id) then
    raise sqlstate 'PT409' using
      message = 'too_many_webhooks',
      hint = 'The organization has 20 webhooks, which is the maximum. Delete one that it no longer needs.';
  end if;
  insert into webhook.endpoint (organization_id, id, name, url, actions, include, position, secret, secret_key)
  values (
    v_organization_id,
    v_id,
    app.clean_text(v_settings ->> 'name'),
    v_settings ->> 'url',
    webhook.chosen_actions(v_settings -> 'actions'),
    coalesce(v_settings ->> 'include', 'ids'),
    webhook.last_position(v_organization_id),
    create_endpoint.sealed_secret,
    create_endpoint.sealing_key
  );
  return v_id;
end $$;

comment on function webhook.create_endpoint(uuid, jsonb, bytea, text) is
$$Creates a webhook and returns its id. It gets the events from now on.

settings: a JSON object (api.new_webhook_input). sealed_secret: its secret, sealed to the worker's key with the id sealing_key. Raises
PT422 validation_failed and PT409 too_many_webhooks.$$;

grant execute on function webhook.create_endpoint(uuid, jsonb, bytea, text) to leads_exec, leads_jobs;
