-- crm.begin_call - permits a call to a vendor and renews the lease.
set local role leads_jobs;

create or replace function crm.begin_call(
  organization_id uuid,
  sync_id uuid,
  attempt integer,
  display_name text default null,
  email text default null
)
returns crm.permission language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := begin_call.organization_id;
  v_sync crm.sync;
  v_attempt crm.attempt;
  v_connection record;
  v_now timestamptz;
  v_at timestamptz;
  v_spacing interval;
begin
  -- A worker with an older attempt stops here.
  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.id = begin_call.sync_id
    and s.attempts = begin_call.attempt
    and s.status = 'in_progress'
    -- A move to another cell has waited for the end of the lease, and no longer.
    and (
      s.run_at > clock_timestamp()
      or not exists (select from app.placement as f where f.organization_id = s.organization_id and f.is_fenced)
    )
  for no key update;
  if not found then
    return row('stop', null)::crm.permission;
  end if;
  select a.* into v_attempt
  from crm.attempt as a
  where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  if v_attempt.sent_at is not null then
    -- Another call of this attempt: the previous call was answered and created nothing.
    update crm.attempt as a
    set sent_at = null
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  end if;

  -- If the vendor limits the rate, calls take turns: all workers share the connection's rate.
  perform
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id and v.calls is not null
  for no key update of c;
  select c.state, c.revision, c.blocked_until, c.paced_until, v.calls, v.call_seconds into v_connection
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account;
  v_now := date_trunc('milliseconds', clock_timestamp());
  v_at := greatest(v_now, v_connection.blocked_until);
  if v_connection.calls is not null then
    -- An even rate of nine tenths of the limit, with bursts of one tenth: no period of call_seconds
    -- has more calls. Rounded up to whole milliseconds, the precision of paced_until.
    v_spacing := make_interval(secs => ceil(1000 * v_connection.call_seconds / (0.9 * v_connection.calls)) / 1000);
    v_at := greatest(v_at, v_connection.paced_until - v_spacing * (0.1 * v_connection.calls));
  end if;

  if
    v_connection.state is distinct from 'active'
    or exists (select from app.placement as f where f.organization_id = v_organization_id and f.is_fenced)
    or v_connection.revision <> v_attempt.connection_revision
    or v_at > v_now + interval '2 seconds'
  then
    -- Paused, disconnected, connected with another credential, moved to another cell, or a long wait: the lease is returned.
    update crm.attempt as a
    set outcome = 'not_made'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
    update crm.sync as s
    set status = 'pending', run_at = greatest(v_at, v_now)
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return row('stop', null)::crm.permission;
  end if;
  if v_at > v_now then
    return row('wait', extract(epoch from v_at - v_now))::crm.permission;
  end if;

  if v_connection.calls is not null then
    update crm.connection as c
    set paced_until = greatest(c.paced_until, v_now) + v_spacing
    where c.organization_id = v_organization_id;
  end if;
  update crm.sync as s
  set run_at = v_now + interval '15 seconds', leased_by = pg_backend_pid()
  where s.organization_id = v_organization_id and s.id = v_sync.id;
  if begin_call.display_name is not null then
    update crm.attempt as a
    set sent_at = v_now, email = begin_call.email, display_name = begin_call.display_name
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  end if;
  return row('go', null)::crm.permission;
end $$;

comment on function crm.begin_call(uuid, uuid, integer, text, text) is
$$Permits one call to the vendor and renews the lease to 15 seconds.

The call must end within 5 seconds. attempt: the fencing token. display_name, email: the data of a call that creates a
record; they are committed with the time before the call. Null: the call only reads. Verdicts: go; wait (the vendor's rate
limit: ask again after wait_seconds, at most 2); stop (another worker has the lease, or the lease was returned because the
connection is paused or gone or the wait is longer: the worker drops the push).$$;

grant execute on function crm.begin_call(uuid, uuid, integer, text, text) to leads_worker;
