-- webhook.lock_enabled - locks a webhook that must be enabled.
set local role leads_owner;

create or replace function webhook.lock_enabled(organization_id uuid, endpoint_id uuid)
returns uuid language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid;
  v_state text;
begin
  select p.id, p.state into v_id, v_state
  from webhook.endpoint as p
  where p.organization_id = lock_enabled.organization_id and p.id = lock_enabled.endpoint_id
  for no key update;
  if v_state = 'disabled' then
    raise sqlstate 'PT409' using
      message = 'webhook_is_disabled', hint = 'The webhook is disabled. Enable it: change its state to "enabled".';
  end if;
  return v_id;
end $$;

comment on function webhook.lock_enabled(uuid, uuid) is 'Locks the webhook, and returns its id; null: there is none. Raises PT409 webhook_is_disabled.';

grant execute on function webhook.lock_enabled(uuid, uuid) to leads_exec, leads_jobs;
