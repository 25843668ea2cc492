-- webhook.send_test - queues a test of a webhook.
set local role leads_owner;

create or replace function webhook.send_test(organization_id uuid, endpoint_id uuid)
returns uuid language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_delivery_id uuid := app.new_id();
  v_is_test boolean := (
    select o.environment = 'test' from app.organization as o where o.organization_id = send_test.organization_id
  );
begin
  if webhook.lock_enabled(send_test.organization_id, send_test.endpoint_id) is null then
    return null;
  end if;
  -- Due since 1970, and so before all other deliveries. A pause ends, because the caller wants to see whether it works now.
  insert into webhook.delivery (organization_id, id, endpoint_id, action, state, next_attempt_at, ended_at)
  values (
    send_test.organization_id, v_delivery_id, send_test.endpoint_id, 'webhook.test',
    case when v_is_test then 'simulated' else 'pending' end,
    case when not v_is_test then 'epoch'::timestamptz end,
    case when v_is_test then date_trunc('milliseconds', clock_timestamp()) end
  );
  update webhook.endpoint as p
  set paused_until = null
  where p.organization_id = send_test.organization_id and p.id = send_test.endpoint_id and p.paused_until is not null;
  call app.notify('leads_work');
  return v_delivery_id;
end $$;

comment on function webhook.send_test(uuid, uuid) is
$$Queues a message of the type webhook.test, and returns the id of its delivery; null: there is no such webhook.

It has one attempt, which is made next, also if the webhook pauses. Raises PT409 webhook_is_disabled.$$;

grant execute on function webhook.send_test(uuid, uuid) to leads_exec, leads_jobs;
