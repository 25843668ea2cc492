-- webhook.settle_delivery - records the outcome of an attempt and decides what happens next.
set local role leads_jobs;

create or replace function webhook.settle_delivery(
  organization_id uuid,
  delivery_id uuid,
  attempt integer,
  outcome text,
  http_status integer default null,
  message text default null,
  retry_after double precision default null
)
returns text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  v_organization_id uuid := settle_delivery.organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_http_status integer := case when settle_delivery.http_status between 100 and 599 then settle_delivery.http_status end;
  v_message text := nullif(app.trim_text(left(app.trim_text(settle_delivery.message), 500)), '');
  v_endpoint record;
  v_delivery record;
  v_is_new_series boolean;
  v_failing_since timestamptz;
  v_failures integer;
  v_reason text;
  v_state text;
begin
  if (settle_delivery.outcome in ('delivered', 'failed', 'gone')) is not true then
    raise sqlstate 'PT422' using message = 'unknown_outcome', hint = format('There is no outcome "%s".', settle_delivery.outcome);
  end if;
  -- The webhook is locked before its delivery, as everywhere. If it was deleted, its deliveries end without an outcome.
  select p.id, p.state, p.failures, p.failing_since, p.paused_until, p.recovered_at into v_endpoint
  from webhook.endpoint as p
  where
    p.organization_id = v_organization_id
    and p.id = (
      select d.endpoint_id
      from webhook.delivery as d
      where d.organization_id = v_organization_id and d.id = settle_delivery.delivery_id
    )
  for no key update;
  if not found then
    return null;
  end if;
  select d.id, d.event_id, d.lead_id, d.begun_at into v_delivery
  from webhook.delivery as d
  where
    d.organization_id = v_organization_id
    and d.id = settle_delivery.delivery_id
    and d.attempts = settle_delivery.attempt
    and d.leased_until is not null
    -- A move to another cell has waited for the end of the lease, and no longer.
    and (
      d.leased_until > clock_timestamp()
      or not exists (select from app.placement as f where f.organization_id = d.organization_id and f.is_fenced)
    )
  for no key update;
  if not found then
    return null;
  end if;

  if settle_delivery.outcome = 'delivered' then
    update webhook.delivery as d
    set
      state = 'delivered', ended_at = v_now, next_attempt_at = null, leased_until = null, http_status = v_http_status,
      message = null
    where d.organization_id = v_organization_id and d.id = v_delivery.id;
    if v_endpoint.failures > 0 or v_endpoint.paused_until is not null then
      update webhook.endpoint as p
      set
        failures = 0, failing_since = null, paused_until = null,
        recovered_at = case when v_endpoint.failures >= 5 then v_now else p.recovered_at end
      where p.organization_id = v_organization_id and p.id = v_endpoint.id;
      -- The deliveries that waited for the webhook, and not for an answer to themselves.
      if v_endpoint.failures >= 5 then
        perform webhook.hasten(v_organization_id, v_endpoint.id, v_now);
      end if;
    end if;
    if v_delivery.event_id is not null then
      perform webhook.release_next(v_organization_id, v_endpoint.id, v_delivery.lead_id, v_now);
    end if;
    return 'delivered';
  end if;

  v_message := coalesce(v_message, 'The attempt failed.');
  v_failing_since := coalesce(v_endpoint.failing_since, v_now);
  v_failures := v_endpoint.failures + 1;
  -- A test is one attempt, whose failure says nothing about the events.
  if v_delivery.event_id is not null then
    -- After 6 hours without an attempt, the period begins again: nothing was queued, or no worker ran.
    v_is_new_series := coalesce(v_endpoint.paused_until, v_endpoint.failing_since) < v_now - interval '6 hours';
    if v_is_new_series then
      v_failing_since := v_now;
      v_failures := 1;
    end if;
    update webhook.endpoint as p
    set
      failures = v_failures,
      failing_since = v_failing_since,
      paused_until = greatest(
        case when v_failures >= 5 then v_now + webhook.backoff(v_now - v_failing_since, settle_delivery.retry_after) end,
        case when settle_delivery.retry_after > 0 then v_now + make_interval(secs => least(settle_delivery.retry_after, 3600)) end
      )
    where p.organization_id = v_organization_id and p.id = v_endpoint.id;
  end if;
  v_reason := case
    when settle_delivery.outcome = 'gone' then 'gone'
    when v_delivery.event_id is not null and v_failures >= 5 and v_failing_since <= v_now - interval '3 days' then 'failing'
  end;
  if v_reason is not null and v_endpoint.state = 'enabled' then
    update webhook.endpoint as p
    set state = 'disabled', disabled_reason = v_reason, disabled_at = v_now
    where p.organization_id = v_organization_id and p.id = v_endpoint.id;
  end if;

  v_state := case
    when v_delivery.event_id is null then 'failed'
    -- The webhook keeps what it has not received.
    when v_reason is not null or v_endpoint.state = 'disabled' then 'pending'
    -- Others have succeeded meanwhile. After the end of a failure of the webhook, each delivery is tried for 12 hours more.
    when
      v_delivery.begun_at <= v_now - interval '3 days'
      and (v_endpoint.recovered_at is null or v_endpoint.recovered_at <= v_now - interval '12 hours')
      then 'failed'
    else 'pending'
  end;
  update webhook.delivery as d
  set
    state = v_state,
    ended_at = case when v_state = 'failed' then v_now end,
    next_attempt_at = case
      when v_state = 'pending' then v_now + webhook.backoff(v_now - v_delivery.begun_at, settle_delivery.retry_after)
    end,
    leased_until = null,
    http_status = v_http_status,
    message = v_message
  where d.organization_id = v_organization_id and d.id = v_delivery.id;
  if v_state = 'failed' and v_delivery.event_id is not null then
    perform webhook.release_next(v_organization_id, v_endpoint.id, v_delivery.lead_id, v_now);
  end if;
  return v_state;
end $$;

comment on function webhook.settle_delivery(uuid, uuid, integer, text, integer, text, double precision) is
$$Records the outcome of an attempt. Returns the delivery's new state, or null if it has another attempt or has ended.

outcome:
- delivered: the receiver answered with 2xx. If the webhook was paused, everything that waits is due at once.
- failed: any other answer, or none. The delivery is tried again after a delay (webhook.backoff). After 5 failures in a row the
  whole webhook pauses, and one delivery at a time tries it.
- gone: failed, with 410. The webhook is disabled.

A delivery is failed for good 3 days after its first attempt, if the webhook has received others meanwhile. A webhook that has
received nothing for 3 days is disabled, and keeps its deliveries. A test fails with its first attempt. retry_after: the seconds
for which the receiver asks; the whole webhook waits, at most an hour. message: at most 500 characters are kept. Raises PT422
unknown_outcome.$$;

grant execute on function webhook.settle_delivery(uuid, uuid, integer, text, integer, text, double precision) to leads_worker;
