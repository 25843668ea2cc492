-- webhook.redeliver - queues a delivery once more.
set local role leads_owner;

create or replace function webhook.redeliver(organization_id uuid, endpoint_id uuid, delivery_id uuid)
returns uuid language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if webhook.lock_enabled(redeliver.organization_id, redeliver.endpoint_id) is null then
    return null;
  end if;
  -- A delivery that waits for an earlier one of its lead, or that a worker has, stays as it is.
  update webhook.delivery as d
  set
    state = case d.state when 'simulated' then 'simulated' else 'pending' end,
    begun_at = case when d.state = 'pending' then d.begun_at end,
    next_attempt_at = case
      when d.state = 'simulated' or d.state = 'pending' and d.next_attempt_at is null then null
      when d.leased_until is not null then d.next_attempt_at
      else 'epoch'::timestamptz
    end,
    ended_at = case d.state when 'simulated' then date_trunc('milliseconds', clock_timestamp()) end
  where
    d.organization_id = redeliver.organization_id
    and d.endpoint_id = redeliver.endpoint_id
    and d.id = redeliver.delivery_id;
  if not found then
    return null;
  end if;
  update webhook.endpoint as p
  set paused_until = null
  where p.organization_id = redeliver.organization_id and p.id = redeliver.endpoint_id and p.paused_until is not null;
  call app.notify('leads_work');
  return redeliver.delivery_id;
end $$;

comment on function webhook.redeliver(uuid, uuid, uuid) is
$$Makes a delivery pending again, due before all others. Returns its id; null: there is no such delivery.

The message has the same id, and what its event has now. It may arrive after later events of the same lead. One that has not ended
is due at once, unless it waits for an earlier one of its lead. Raises PT409 webhook_is_disabled.$$;

grant execute on function webhook.redeliver(uuid, uuid, uuid) to leads_exec, leads_jobs;
