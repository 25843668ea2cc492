-- crm.lease_syncs - gives a worker the pushes that are due, each for 15 seconds.
set local role leads_jobs;

create or replace function crm.lease_syncs(key_ids text[], batch integer, running jsonb default '{}')
returns setof crm.job
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_connection record;
  v_due record;
  v_now timestamptz;
  v_put_off timestamptz;
  v_known text;
  v_is_blocked boolean;
  v_left integer := least(greatest(lease_syncs.batch, 0), 64);
  v_free integer;
  v_seen integer;
  v_running jsonb := lease_syncs.running;
begin
  -- A session that is gone was most likely a killed worker's: its leases end now. A worker that was only cut off is
  -- fenced by the attempt's number, and what it has sent is waited out all the same.
  with gone as (
    select s.organization_id, s.id
    from crm.connection as c
    join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
    where
      s.status = 'in_progress'
      and s.run_at > clock_timestamp()
      and not exists (select from pg_catalog.pg_stat_activity as a where a.pid = s.leased_by)
      and (crm.open_until(s.organization_id, s.id, c.settle_seconds) > clock_timestamp()) is not true
    for no key update of s skip locked
  )
  update crm.sync as s
  set run_at = date_trunc('milliseconds', clock_timestamp())
  from gone as g
  where s.organization_id = g.organization_id and s.id = g.id;

  while v_left > 0 loop
    -- The connection is locked while its syncs are looked at: two workers never weigh the same ones. One that another
    -- worker has is passed over.
    select
      c.organization_id, c.vendor, c.account, c.settings, c.settle_seconds, c.credential, c.credential_key,
      v.has_search, o.environment, v.calls_at_once - coalesce((v_running ->> c.organization_id::text)::integer, 0) as free
    into v_connection
    from crm.connection as c
    join crm.vendor as v on v.name = c.vendor
    join app.organization as o on o.organization_id = c.organization_id
    cross join lateral (
      select s.run_at
      from crm.sync as s
      where
        s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
        and s.run_at <= clock_timestamp()
      order by s.run_at
      limit 1
    ) as d
    where
      c.state = 'active'
      and (c.blocked_until is null or c.blocked_until <= clock_timestamp())
      and (o.environment = 'test' or c.credential_key = any (lease_syncs.key_ids))
      and v.calls_at_once > coalesce((v_running ->> c.organization_id::text)::integer, 0)
    order by d.run_at, c.organization_id
    limit 1
    for no key update of c skip locked;
    exit when not found;

    v_free := least(v_connection.free, v_left);
    v_seen := 0;
    for v_due in
      select s.*, l.email_key as lead_email_key, l as lead
      from crm.sync as s
      join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
      where
        s.organization_id = v_connection.organization_id
        and s.vendor = v_connection.vendor
        and s.account = v_connection.account
        and s.run_at <= clock_timestamp()
      order by s.run_at, s.id
      limit 4 * v_free
      for no key update of s skip locked
    loop
      v_seen := v_seen + 1;
      v_now := date_trunc('milliseconds', clock_timestamp());
      v_put_off := crm.open_until(v_due.organization_id, v_due.id, v_connection.settle_seconds);
      v_known := null;
      if v_put_off > v_now then
        -- It stays whose it is: the answer to what was sent may still come.
        update crm.sync as s
        set run_at = v_put_off
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;
      v_is_blocked := false;

      if v_connection.has_search and v_due.lead_email_key is not null then
        -- Another push with this address: one that may have made a record must be through first, the older of two.
        select true into v_is_blocked
        from crm.sync as s
        where
          s.organization_id = v_due.organization_id
          and s.email_key = v_due.lead_email_key
          and s.vendor = v_due.vendor
          and s.account = v_due.account
          and s.id <> v_due.id
          and (
            s.status = 'in_progress'
            or (
              s.status = 'pending'
              and crm.open_until(s.organization_id, s.id, 0) is not null
              and (v_put_off is null or s.id < v_due.id)
            )
          )
        limit 1;
        v_is_blocked := coalesce(v_is_blocked, false);
        if not v_is_blocked and v_put_off is null then
          -- One that has just been made, and that the vendor's search may not show yet.
          select s.external_id into v_known
          from crm.sync as s
          where
            s.organization_id = v_due.organization_id
            and s.email_key = v_due.lead_email_key
            and s.vendor = v_due.vendor
            and s.account = v_due.account
            and s.status = 'ok'
            and s.last_synced_at > v_now - make_interval(secs => 60 + v_connection.settle_seconds)
          order by s.last_synced_at desc
          limit 1;
        end if;
      end if;

      if v_is_blocked then
        update crm.sync as s
        set status = 'pending', run_at = v_now + interval '0.5 seconds'
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;
      if v_connection.environment = 'test' then
        v_known := 'simulated_' || v_due.id;
      end if;

      update crm.sync as s
      set
        status = 'in_progress',
        run_at = v_now + interval '15 seconds',
        leased_by = pg_backend_pid(),
        attempts = s.attempts + 1,
        email_key = case when v_connection.has_search then v_due.lead_email_key end
      where s.organization_id = v_due.organization_id and s.id = v_due.id;
      insert into crm.attempt (organization_id, sync_id, number)
      values (v_due.organization_id, v_due.id, v_due.attempts + 1);
      if v_known is not null then
        perform crm.settle_attempt(
          v_due.organization_id, v_due.id, v_due.attempts + 1,
          case v_connection.environment when 'test' then 'simulated' else 'linked' end, v_known
        );
        v_left := v_left - 1;
        exit when v_left = 0;
        continue;
      end if;

      return query
      select
        v_due.organization_id,
        v_due.id,
        v_due.attempts + 1,
        v_due.vendor,
        v_connection.settings::json,
        v_connection.credential,
        v_connection.credential_key,
        crm.contact(v_due.lead, v_due.id),
        (
          select coalesce(json_agg(json_build_object('email', a.email, 'display_name', a.display_name) order by a.number), '[]')
          from crm.attempt as a
          where
            a.organization_id = v_due.organization_id
            and a.sync_id = v_due.id
            and a.sent_at is not null
            and a.outcome is null
        );
      v_running := v_running || jsonb_build_object(
        v_due.organization_id, coalesce((v_running ->> v_due.organization_id::text)::integer, 0) + 1
      );
      v_left := v_left - 1;
      v_free := v_free - 1;
      exit when v_free = 0;
    end loop;
    -- Somebody else has what is due here: the next round finds it.
    exit when v_seen = 0 or v_left = 0;
  end loop;
end
$$;

comment on function crm.lease_syncs(text[], integer, jsonb) is
$$Leases up to batch (1 to 64) pushes that are due, of the connections whose credential one of the keys decrypts.

Each is a new attempt, whose number is the fencing token, and is the worker's for 15 seconds, or as long as its session
lives, unless it renews them with crm.begin_call. running: how many pushes of each organization the worker has already, {"<organization_id>": 3}: it gets no more
of one connection than calls_at_once. Not leased: a push before its open attempts have settled; one whose address another push
has; what waits for Retry-After. A lead whose address has just got a record is
linked to it; a test organization's push is simulated: neither comes to a worker.$$;

grant execute on function crm.lease_syncs(text[], integer, jsonb) to leads_worker;
