-- admin.seal_events - seals the new events of one organization. A worker calls it every second.
set local role leads_jobs;

create or replace function admin.seal_events(after uuid default null, batch integer default 1000)
returns table (organization_id uuid, sealed integer) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
as $$
declare
  -- A value in place of null, because a plan that handles both scans the queue from its beginning.
  v_organization_id uuid := coalesce(seal_events.after, '00000000-0000-0000-0000-000000000000');
  v_event audit.event;
  v_position bigint;
  v_event_hash bytea;
  v_hash bytea;
  v_sealed integer := 0;
begin
  loop
    v_organization_id := (
      select u.organization_id
      from audit.unsealed as u
      where u.organization_id > v_organization_id
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

  select s.position, s.hash
  into v_position, v_hash
  from audit.seal as s
  where s.organization_id = v_organization_id
  order by s.position desc
  limit 1;
  v_position := coalesce(v_position, 0);
  v_hash := coalesce(v_hash, sha256(uuid_send(v_organization_id)));

  -- An event that was put into the queue again has a seal, and would make every later insert fail.
  -- Only the first events of the queue are looked up: the queue may be long.
  delete from audit.unsealed as u
  using (
    select q.event_id
    from audit.unsealed as q
    where q.organization_id = v_organization_id
    order by q.event_id
    limit seal_events.batch
  ) as first
  where
    u.organization_id = v_organization_id
    and u.event_id = first.event_id
    and exists (
      select
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.event_id = u.event_id
        and s.created_at = app.id_time(u.event_id)
    );
  for v_event in
    select e.*
    from audit.unsealed as u
    -- An event that was removed before its seal stays in the queue, where leads doctor finds it.
    join audit.event as e
      on e.organization_id = v_organization_id and e.id = u.event_id and e.created_at = app.id_time(u.event_id)
    where u.organization_id = v_organization_id
    order by u.event_id
    limit seal_events.batch
  loop
    v_position := v_position + 1;
    v_event_hash := audit.event_hash(
      v_position, v_event.id, v_event.organization_id, v_event.action, v_event.source, v_event.correlation_id,
      v_event.lead_id, v_event.payload_digest, v_event.created_at
    );
    v_hash := sha256(v_hash || v_event_hash);
    insert into audit.seal (organization_id, position, event_id, event_hash, hash, created_at)
    values (v_organization_id, v_position, v_event.id, v_event_hash, v_hash, v_event.created_at);
    delete from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = v_event.id;
    v_sealed := v_sealed + 1;
  end loop;
  return query select v_organization_id, v_sealed;
end $$;

comment on function admin.seal_events(uuid, integer) is
$$Seals up to batch new events of one organization, the oldest first.

It takes the first organization with an id greater than "after" that has unsealed events; null: the first of all.
Returns no row if there is no such organization. sealed: the number of events; if it is less than batch, no committed event
of the organization is left. Several workers may call it at the same time.$$;

grant execute on function admin.seal_events(uuid, integer) to leads_worker, leads_operator;
