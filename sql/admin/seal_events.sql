-- admin.seal_events - seals one organization's new events, as a worker does each second.
set local role leads_jobs;

create or replace function admin.seal_events(after uuid default null, batch integer default 1000)
returns table (organization_id uuid, sealed integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Not null: the next one's condition would have two shapes, and a plan for both walks the queue from its beginning.
  v_organization_id uuid := coalesce(seal_events.after, '00000000-0000-0000-0000-000000000000');
  v_event audit.event;
  v_position bigint;
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
    -- One sealer at a time for an organization, and whoever comes second does another's. Who writes events never waits:
    -- a foreign key's lock isn't in this one's way.
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

  -- One that was put into the queue again is sealed already: it would stop this one, and all that come after it.
  delete from audit.unsealed as u
  where
    u.organization_id = v_organization_id
    and exists (
      select from audit.seal as s where s.organization_id = v_organization_id and s.event_id = u.event_id
    );
  for v_event in
    select e.*
    from audit.unsealed as u
    -- What was removed before it was sealed stays in the queue, where it is found.
    join audit.event as e on e.organization_id = v_organization_id and e.id = u.event_id
    where u.organization_id = v_organization_id
    order by u.event_id
    limit seal_events.batch
  loop
    v_position := v_position + 1;
    v_hash := sha256(
      v_hash || audit.event_hash(
        v_position, v_event.id, v_event.organization_id, v_event.action, v_event.source, v_event.correlation_id,
        v_event.lead_id, v_event.payload_digest, v_event.created_at
      )
    );
    insert into audit.seal (organization_id, position, event_id, hash)
    values (v_organization_id, v_position, v_event.id, v_hash);
    delete from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = v_event.id;
    v_sealed := v_sealed + 1;
  end loop;
  return query select v_organization_id, v_sealed;
end
$$;

comment on function admin.seal_events(uuid, integer) is
$$Seals up to batch new events, the oldest first, of the next organization after one that has any; null: of the first.

No row: none after it has any. sealed: how many; fewer than batch: all that were committed. Any number of workers may do so at
once.$$;

grant execute on function admin.seal_events(uuid, integer) to leads_worker, leads_operator;
