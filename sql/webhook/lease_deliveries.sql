-- webhook.lease_deliveries - leases due deliveries to a worker, for 15 seconds each.
set local role leads_jobs;

create or replace function webhook.lease_deliveries(key_ids text[], batch integer, running jsonb default '{}')
returns table (
  organization_id uuid,
  endpoint_id uuid,
  delivery_id uuid,
  attempt integer,
  url text,
  message_id text,
  body text,
  secrets bytea[],
  secret_keys text[],
  trace_id text
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
-- Without statistics the planner could read and sort all deliveries of a webhook.
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
  -- One time for the whole call. A variable, because an index can't be searched for a volatile value.
  v_started timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_left integer := least(greatest(lease_deliveries.batch, 0), 64);
  v_running jsonb := lease_deliveries.running;
  v_total integer := coalesce((select sum(r.number::integer) from jsonb_each_text(lease_deliveries.running) as r (id, number)), 0);
  v_of_organization integer;
  v_due record;
  v_endpoint record;
  v_free integer;
  v_delivery record;
  v_until timestamptz;
  v_event record;
  v_body text;
  v_context text;
begin
  for v_due in
    select f.organization_id, f.endpoint_id
    from webhook.first_deliveries() as f
    join webhook.endpoint as p on p.organization_id = f.organization_id and p.id = f.endpoint_id
    where
      f.next_attempt_at <= v_started
      and p.state = 'enabled'
      and (p.paused_until is null or p.paused_until <= v_started)
      and p.secret_key = any (lease_deliveries.key_ids)
    -- First those of which this worker has the fewest. Otherwise a few organizations whose receivers are slow would take every
    -- place that becomes free.
    order by coalesce((lease_deliveries.running ->> f.organization_id::text)::integer, 0), f.next_attempt_at
  loop
    exit when v_left = 0;
    v_of_organization := coalesce((v_running ->> v_due.organization_id::text)::integer, 0);
    -- The second half of a worker's places is for organizations that have none. Otherwise eight organizations whose receivers
    -- are slow would take all of them, and the others would wait for seconds.
    v_free := least(
      v_left, 8 - v_of_organization, greatest(32 - v_total, case when v_of_organization = 0 then 1 else 0 end)
    );
    continue when v_free <= 0;
    -- The lock prevents two workers from exceeding the limit of a webhook. One that is locked is skipped.
    select
      p.url, p.include, p.failures, p.secret, p.secret_key,
      case when p.previous_expires_at > v_started and p.previous_secret_key = any (lease_deliveries.key_ids)
        then p.previous_secret end as previous_secret,
      p.previous_secret_key
    into v_endpoint
    from webhook.endpoint as p
    where
      p.organization_id = v_due.organization_id
      and p.id = v_due.endpoint_id
      and p.state = 'enabled'
      and (p.paused_until is null or p.paused_until <= v_started)
      and p.secret_key = any (lease_deliveries.key_ids)
    for no key update skip locked;
    continue when not found;

    -- While it fails, one attempt at a time tries whether it has recovered.
    v_free := least(v_free, case when v_endpoint.failures >= 5 then 1 else 4 end - (
      select count(*)
      from webhook.delivery as d
      where
        d.organization_id = v_due.organization_id and d.endpoint_id = v_due.endpoint_id and d.leased_until > v_started
    ));
    continue when v_free <= 0;

    for v_delivery in
      select d.id, d.event_id, d.event_created_at, d.position, d.lead_id, d.action, d.attempts, d.created_at
      from webhook.delivery as d
      where
        d.organization_id = v_due.organization_id
        and d.endpoint_id = v_due.endpoint_id
        and d.next_attempt_at <= v_started
      order by d.next_attempt_at
      limit v_free
      for no key update skip locked
    loop
      v_until := date_trunc('milliseconds', clock_timestamp());
      update webhook.delivery as d
      set
        attempts = d.attempts + 1,
        begun_at = coalesce(d.begun_at, v_until),
        last_attempt_at = v_until,
        leased_until = v_until + interval '15 seconds',
        next_attempt_at = v_until + interval '15 seconds'
      where d.organization_id = v_due.organization_id and d.id = v_delivery.id;

      -- An error about one delivery must not stop all others.
      begin
        -- As it is now: an erasure may have emptied it, and its year may have been retired.
        select e.payload, e.salt is not null as has_values into v_event
        from audit.event as e
        where
          e.organization_id = v_due.organization_id
          and e.id = v_delivery.event_id
          and e.created_at = v_delivery.event_created_at;
        if
          v_endpoint.include = 'values' and v_delivery.lead_id is not null and v_event.has_values
          -- These events contain no personal values.
          and v_delivery.action not in ('lead.erased', 'lead.read')
        then
          -- An erasure waits for the lock of the webhook, and then finds this row.
          insert into webhook.recipient as r (organization_id, lead_id, endpoint_id, host, first_at, last_at)
          values (
            v_due.organization_id, v_delivery.lead_id, v_due.endpoint_id,
            -- The scheme may have any case, and a host of 253 characters a port after it.
            left(substring(v_endpoint.url, '^[^:/?#]+://([^/?#]+)'), 255), v_until, v_until
          )
          on conflict (organization_id, lead_id, endpoint_id)
            do update set host = excluded.host, last_at = excluded.last_at;
        end if;
        v_body := webhook.message(
          v_due.organization_id, v_delivery.action, v_delivery.event_id,
          coalesce(v_delivery.event_created_at, v_delivery.created_at), v_delivery.position, v_delivery.lead_id,
          v_event.payload, v_endpoint.include = 'values'
        );
      exception
        when others then
          -- Without the error's message, which may contain values.
          get stacked diagnostics v_context = pg_exception_context;
          raise warning 'The message of the delivery % can''t be made (SQLSTATE %).', v_delivery.id, sqlstate
            using detail = v_context;
          perform webhook.settle_delivery(
            v_due.organization_id, v_delivery.id, v_delivery.attempts + 1, 'failed', null,
            format('The message can''t be made (SQLSTATE %s). The log of PostgreSQL says where.', sqlstate)
          );
          continue;
      end;

      return query select
        v_due.organization_id,
        v_due.endpoint_id,
        v_delivery.id,
        v_delivery.attempts + 1,
        v_endpoint.url,
        'msg_' || v_delivery.id,
        v_body,
        array_remove(array[v_endpoint.secret, v_endpoint.previous_secret], null),
        array_remove(
          array[v_endpoint.secret_key, case when v_endpoint.previous_secret is not null then v_endpoint.previous_secret_key end],
          null
        ),
        v_event.payload ->> 'trace_id';
      v_left := v_left - 1;
      v_total := v_total + 1;
      v_running := v_running || jsonb_build_object(
        v_due.organization_id, coalesce((v_running ->> v_due.organization_id::text)::integer, 0) + 1
      );
    end loop;
  end loop;
end $$;

comment on function webhook.lease_deliveries(text[], integer, jsonb) is
$$Leases up to batch (1 to 64) deliveries that are due, of the webhooks whose secret one of the keys opens.

Each lease is a new attempt. Its number is the fencing token. A lease ends after 15 seconds: the attempt must end before. The
deliveries of a webhook about one lead are leased one after another, in the order of the events. A webhook has at most 4
leases, and one while it fails. running: how many deliveries of each organization the worker already has, such as
{"<organization_id>": 3}; an organization gets at most 8. While the worker has 32 or more, an organization that has none gets one,
and the others get no more. message_id: the same in each attempt. body: what webhook.message makes of the event as it is now.
secrets, secret_keys: the current one and, until it expires, the one before the rotation. If the body has values of a lead,
webhook.recipient records it. If the message can't be made, the attempt has failed.$$;

grant execute on function webhook.lease_deliveries(text[], integer, jsonb) to leads_worker;
