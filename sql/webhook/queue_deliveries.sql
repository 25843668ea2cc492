-- webhook.queue_deliveries - makes a delivery of each sealed event for each webhook. A worker calls it every second.
set local role leads_jobs;

create or replace function webhook.queue_deliveries(after uuid default null, batch integer default 1000, until uuid default null)
returns table (organization_id uuid, queued integer) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- Without statistics the planner could read all seals or deliveries of an organization for a join with a few.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := coalesce(queue_deliveries.after, '00000000-0000-0000-0000-000000000000');
  v_last_id uuid := coalesce(queue_deliveries.until, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_batch_ids uuid[];
  v_last bigint;
  v_endpoint_ids uuid[];
  v_size integer;
  v_is_test boolean;
  v_is_done boolean;
  v_now timestamptz;
  v_queued integer;
begin
  loop
    v_organization_id := (
      select b.organization_id
      from webhook.unqueued_batch as b
      where
        b.organization_id > v_organization_id
        and b.organization_id <= v_last_id
        and not exists (select from app.placement as f where f.organization_id = b.organization_id and f.is_fenced)
      order by b.organization_id
      limit 1
    );
    if v_organization_id is null then
      return;
    end if;
    -- Before anything else is read: the seals of these batches, and the webhooks that queued one, are visible from here on.
    -- Only these rows are deleted at the end.
    v_batch_ids := array(
      select b.id from webhook.unqueued_batch as b where b.organization_id = v_organization_id order by b.id limit 10000
    );
    v_last := coalesce((
      select s.position from audit.seal as s where s.organization_id = v_organization_id order by s.position desc limit 1
    ), 0);
    -- The lock of a webhook is taken before it gets deliveries and before one of them ends. Otherwise a delivery could wait
    -- for one that has just ended. A webhook that is locked is left to the next call.
    v_endpoint_ids := array(
      select p.id
      from webhook.endpoint as p
      where p.organization_id = v_organization_id and p.state = 'enabled' and p.position < v_last
      order by p.id
      for no key update skip locked
    );
    exit when cardinality(v_endpoint_ids) > 0;
    if not exists (
      select
      from webhook.endpoint as p
      where p.organization_id = v_organization_id and p.state = 'enabled' and p.position < v_last
    )
    then
      delete from webhook.unqueued_batch as b where b.organization_id = v_organization_id and b.id = any (v_batch_ids);
    end if;
  end loop;

  v_size := greatest(queue_deliveries.batch / cardinality(v_endpoint_ids), 1);
  v_is_test := (
    select o.environment = 'test' from app.organization as o where o.organization_id = v_organization_id
  );
  v_now := date_trunc('milliseconds', clock_timestamp());
  with event as (
    select
      p.id as endpoint_id, s.event_id, s.created_at, s.position, e.lead_id, e.action,
      row_number() over (partition by p.id, e.lead_id order by s.position) = 1 as is_first
    from webhook.endpoint as p
    -- A range of positions, which no plan can exceed. OFFSET prevents a plan that reads all of the organization.
    cross join lateral (
      select s.event_id, s.created_at, s.position
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.position > p.position
        and s.position <= least(p.position + v_size, v_last)
        and s.created_at >= p.created_at
      offset 0
    ) as s
    cross join lateral (
      select e.action, e.lead_id, e.source, e.correlation_id
      from audit.event as e
      where e.organization_id = v_organization_id and e.id = s.event_id and e.created_at = s.created_at
      offset 0
    ) as e
    where
      p.organization_id = v_organization_id
      and p.id = any (v_endpoint_ids)
      and (p.actions is null or e.action = any (p.actions))
      -- The rows of leads import, unless --events was given (admin.import_leads). A client's id is of another source.
      and (e.source <> 'system' or e.correlation_id is null or left(e.correlation_id, 7) <> 'import:')
  )
  insert into webhook.delivery (
    organization_id, endpoint_id, event_id, event_created_at, position, lead_id, action, state, next_attempt_at, ended_at
  )
  select
    v_organization_id, e.endpoint_id, e.event_id, e.created_at, e.position, e.lead_id, e.action,
    case when v_is_test then 'simulated' else 'pending' end,
    -- Only the first delivery of a lead is due. webhook.release_next makes the next one due.
    case
      when v_is_test or not e.is_first then null
      when e.lead_id is null then
        case when not exists (
          select
          from webhook.delivery as d
          where
            d.organization_id = v_organization_id and d.endpoint_id = e.endpoint_id and d.lead_id is null
            and d.position is not null and d.state = 'pending'
        ) then v_now end
      when not exists (
        select
        from webhook.delivery as d
        where
          d.organization_id = v_organization_id and d.endpoint_id = e.endpoint_id and d.lead_id = e.lead_id
          and d.position is not null and d.state = 'pending'
      ) then v_now
    end,
    case when v_is_test then v_now end
  from event as e
  on conflict (organization_id, endpoint_id, position) do nothing;
  get diagnostics v_queued = row_count;

  update webhook.endpoint as p
  set position = least(p.position + v_size, v_last)
  where p.organization_id = v_organization_id and p.id = any (v_endpoint_ids);

  v_is_done := not exists (
    select
    from webhook.endpoint as p
    where p.organization_id = v_organization_id and p.state = 'enabled' and p.position < v_last
  );
  if v_is_done then
    delete from webhook.unqueued_batch as b where b.organization_id = v_organization_id and b.id = any (v_batch_ids);
  end if;
  return query select
    v_organization_id,
    -- Not the batch if the rest belongs to a webhook that is locked: the caller would ask again at once.
    case
      when exists (
        select
        from webhook.endpoint as p
        where p.organization_id = v_organization_id and p.id = any (v_endpoint_ids) and p.position < v_last
      ) then queue_deliveries.batch
      else v_queued
    end;
end $$;

comment on function webhook.queue_deliveries(uuid, integer, uuid) is
$$Makes the deliveries of up to batch sealed events for the webhooks of one organization, and moves their positions on.

It takes the first organization with an id greater than "after" that has rows in webhook.unqueued_batch; null: the first of
all. until: the greatest id that it may take; null: any. Returns no row if there is no such organization. queued: the number of
deliveries; batch, if there is more to do.

Each enabled webhook gets the events after its position whose action it has chosen, in the order of the seals. It does not
get events from before it was created, and none of the rows of leads import without --events. The deliveries of a test organization
are simulated. A call that is interrupted changes nothing. Several workers may call it at the same time.$$;

grant execute on function webhook.queue_deliveries(uuid, integer, uuid) to leads_worker;
