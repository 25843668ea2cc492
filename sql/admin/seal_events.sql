-- admin.seal_events - seals the new events of one organization. A worker calls it every second.
set local role leads_jobs;

create or replace function admin.seal_events(after uuid default null, batch integer default 1000, until uuid default null)
returns table (organization_id uuid, sealed integer) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
as $$
declare
  -- Values in place of null, because a plan that handles both scans the queue from its beginning.
  v_organization_id uuid := coalesce(seal_events.after, '00000000-0000-0000-0000-000000000000');
  v_last_id uuid := coalesce(seal_events.until, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_event audit.event;
  v_seal audit.seal;
  v_seals audit.seal[] := '{}';
  v_lead_ids uuid[] := '{}';
begin
  loop
    v_organization_id := (
      select u.organization_id
      from audit.unsealed as u
      where
        u.organization_id > v_organization_id
        and u.organization_id <= v_last_id
        and not exists (select from app.placement as f where f.organization_id = u.organization_id and f.is_fenced)
      order by u.organization_id
      limit 1
    );
    if v_organization_id is null then
      return;
    end if;
    -- One sealer at a time works for an organization; a second sealer takes another organization.
    -- Sessions that write events don't wait: the lock of a foreign key check doesn't conflict.
    perform from app.organization as o where o.organization_id = v_organization_id for no key update skip locked;
    exit when found;
  end loop;

  select s.position, s.hash, s.sealed_at
  into v_seal.position, v_seal.hash, v_seal.sealed_at
  from audit.seal as s
  where s.organization_id = v_organization_id
  order by s.position desc
  limit 1;
  v_seal.position := coalesce(v_seal.position, 0);
  v_seal.hash := coalesce(v_seal.hash, sha256(uuid_send(v_organization_id)));

  -- An event that was put into the queue again has a seal, and would make every later insert fail.
  -- Only the first events are looked up, each by its key: the queue and the chain may be long.
  delete from audit.unsealed as u
  where u.organization_id = v_organization_id and u.event_id = any (array(
    select q.event_id
    from (
      select f.event_id from audit.unsealed as f where f.organization_id = v_organization_id order by f.event_id
      limit seal_events.batch
    ) as q
    where exists (
      select from audit.seal as s
      where s.organization_id = v_organization_id and s.event_id = q.event_id and s.created_at = app.id_time(q.event_id)
      offset 0
    )
  ));
  for v_event in
    select e.*
    from audit.unsealed as u
    -- An event that was removed before its seal stays in the queue, where leads doctor finds it.
    -- OFFSET prevents a merge join, which would read all events of the organization.
    cross join lateral (
      select e.* from audit.event as e
      where e.organization_id = v_organization_id and e.id = u.event_id and e.created_at = app.id_time(u.event_id)
      offset 0
    ) as e
    where u.organization_id = v_organization_id
    order by u.event_id
    limit seal_events.batch
  loop
    v_seal.position := v_seal.position + 1;
    v_seal.event_id := v_event.id;
    v_seal.event_hash := audit.event_hash(
      v_seal.position, v_event.id, v_event.organization_id, v_event.action, v_event.source, v_event.correlation_id,
      v_event.lead_id, v_event.payload_digest, v_event.created_at
    );
    v_seal.hash := sha256(v_seal.hash || v_seal.event_hash);
    v_seal.created_at := v_event.created_at;
    v_seals := v_seals || v_seal;
    if
      v_event.action = 'lead.created'
      or (
        v_event.action = 'lead.updated'
        and coalesce(
          v_event.payload -> 'diff' -> 'name', v_event.payload -> 'diff' -> 'company', v_event.payload -> 'diff' -> 'email'
        ) is not null
      )
    then
      v_lead_ids := v_lead_ids || v_event.lead_id;
    end if;
  end loop;
  -- After the events were read, because one of them may have been committed a moment ago: no event has a time after
  -- its seal. The clock can be set back, and audit.position_before needs the times in the order of the positions.
  v_seal.sealed_at := greatest(date_trunc('milliseconds', clock_timestamp()), v_seal.sealed_at);
  insert into audit.seal (organization_id, position, event_id, event_hash, hash, created_at, sealed_at)
  select v_organization_id, n.position, n.event_id, n.event_hash, n.hash, n.created_at, v_seal.sealed_at
  from unnest(v_seals) as n;
  delete from audit.unsealed as u
  where u.organization_id = v_organization_id and u.event_id = any (array(select n.event_id from unnest(v_seals) as n));
  -- In this transaction, so that a search finds a lead by its event or in this queue at any time.
  insert into app.unindexed_lead (organization_id, lead_id)
  select distinct v_organization_id, u.id from unnest(v_lead_ids) as u (id)
  -- In one order, so that two sessions that queue the same leads wait for no deadlock.
  order by u.id
  on conflict do nothing;
  -- In this transaction, so that no seal is left out of the figures of stages, and no event of the webhooks.
  if cardinality(v_seals) > 0 then
    insert into app.uncounted_seal (organization_id, position) values (v_organization_id, v_seal.position)
    on conflict do nothing;
    insert into webhook.unqueued_batch (organization_id) values (v_organization_id);
  end if;
  return query select v_organization_id, cardinality(v_seals);
end $$;

comment on function admin.seal_events(uuid, integer, uuid) is
$$Seals up to batch new events of one organization, the oldest first.

It takes the first organization with an id greater than "after" that has unsealed events; null: the first of all.
until: the greatest id that it may take; null: any. Returns no row if there is no such organization. sealed: the number of
events; if it is less than batch, no committed event of the organization is left. Leads whose words may have changed are put
into app.unindexed_lead, the last seal into app.uncounted_seal, and the organization into webhook.unqueued_batch. Several
workers may call it at the same time.$$;

grant execute on function admin.seal_events(uuid, integer, uuid) to leads_worker, leads_operator;
