-- admin.unfinished - lists what a move still has to wait for, at the source.
set local role leads_jobs;

create or replace function admin.unfinished(organization_id uuid)
returns setof text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := unfinished.organization_id;
  v_placement app.placement;
  v_running text[];
begin
  select p.* into v_placement
  from app.placement as p
  where p.organization_id = v_organization_id
  for update;
  if v_placement.state is null or v_placement.state not in ('draining', 'moving') then
    perform admin.wrong_state(v_organization_id, 'A wait for the end of the work');
  end if;

  if v_placement.state = 'moving' then
    if v_placement.changed_in = pg_current_xact_id_if_assigned() then
      raise sqlstate 'PT409' using
        message = 'fence_not_committed',
        hint = 'Commit the transaction of admin.fence first: until then, other transactions don''t see the fence.';
    end if;
    -- A transaction whose snapshot lacks the fence began before the fence was committed. It holds the lock of its own virtual id
    -- until it ends. So it is in this list, or it has ended. Of other logins, only those that have recorded a change, and so read
    -- app.placement, or that have locked a table for writing.
    v_running := array(
      select l.virtualtransaction
      from pg_catalog.pg_locks as l
      join pg_catalog.pg_stat_activity as a on a.pid = l.pid
      where
        a.datname = current_database()
        and a.pid <> pg_backend_pid()
        and l.granted
        and (
          l.locktype = 'virtualxid' and a.usename in ('leads_api', 'leads_worker', 'leads_operator')
          or l.locktype = 'relation' and l.relation = 'app.placement'::regclass
          or l.locktype = 'relation'
            and l.mode in (
              'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
            )
            and a.usename is not null
            and exists (select from admin.table_class() as c where c.relation::regclass = l.relation)
        )
        and (v_placement.waits_for is null or l.virtualtransaction = any (v_placement.waits_for))
      group by l.virtualtransaction
      order by l.virtualtransaction
    );
    update app.placement as p
    set waits_for = v_running
    where p.organization_id = v_organization_id and p.waits_for is distinct from v_running;
    return query
    select distinct format('a transaction of %s that began before the fence (process %s), until it ends', a.usename, a.pid)
    from pg_catalog.pg_locks as l
    join pg_catalog.pg_stat_activity as a on a.pid = l.pid
    where l.virtualtransaction = any (v_running)
    order by 1;
  end if;

  -- A lease that is being settled is locked, and its end may pass meanwhile.
  return query
  select format('the push %s, until %s at the latest', s.id, app.utc_text(s.run_at))
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.status = 'in_progress'
    and (
      s.run_at > clock_timestamp()
      or not exists (
        select from (
          select l.id from crm.sync as l
          where l.organization_id = v_organization_id and l.id = s.id
          for share skip locked
        ) as l
      )
    )
  order by s.run_at, s.id;
  return query
  select format('the delivery %s, until %s at the latest', d.id, app.utc_text(d.leased_until))
  from webhook.delivery as d
  where
    d.organization_id = v_organization_id
    and d.leased_until is not null
    and (
      d.leased_until > clock_timestamp()
      or not exists (
        select from (
          select l.id from webhook.delivery as l
          where l.organization_id = v_organization_id and l.id = d.id
          for share skip locked
        ) as l
      )
    )
  order by d.leased_until, d.id;
end $$;

comment on function admin.unfinished(uuid) is
$$What can still write to the organization: transactions that began before the fence, and pushes and deliveries that a worker has
leased, each with its end. No row: nothing can.

Before the fence, after admin.drain, it lists only the leases. After the fence it lists everything; the first call after the commit
notes the transactions that run. Call it until it returns no row. Raises PT409 wrong_state and fence_not_committed.$$;

grant execute on function admin.unfinished(uuid) to leads_operator;
