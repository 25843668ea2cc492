-- crm.lease_syncs - leases due pushes to a worker, for 15 seconds each.
set local role leads_jobs;

create or replace function crm.lease_syncs(key_ids text[], batch integer, running jsonb default '{}')
returns setof crm.job language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- One time for the whole call, so that a postponed push isn't due again in it. A variable,
  -- because an index can't be searched for a volatile value.
  v_started timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_left integer := least(greatest(lease_syncs.batch, 0), 64);
  v_seen uuid[] := '{}';
  v_connection record;
  v_reserved jsonb;
  v_due record;
  v_now timestamptz;
  v_open_until timestamptz;
  v_recent record;
  v_postponed_until timestamptz;
  v_external_id text;
  v_free integer;
  v_context text;
begin
  -- A session that has ended probably belonged to a killed worker: its leases end now. The number of
  -- the attempt stops a worker that only lost its connection; its open calls are still waited for.
  with gone as (
    select s.organization_id, s.id
    from crm.connection as c
    join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
    where
      s.status = 'in_progress'
      and s.run_at > v_started
      and not exists (select from pg_catalog.pg_stat_activity as a where a.pid = s.leased_by)
      and (crm.open_until(s.organization_id, s.id, c.settle_seconds) > v_started) is not true
    for no key update of s skip locked
  )
  update crm.sync as s
  set run_at = v_started
  from gone as g
  where s.organization_id = g.organization_id and s.id = g.id;

  while v_left > 0 loop
    -- Each connection once. The lock prevents two workers from choosing among the same syncs. A
    -- connection that another worker has locked is skipped.
    select
      c.organization_id, c.vendor, c.account, c.revision, c.settings, c.settle_seconds, c.credential, c.credential_key,
      v.has_search, o.environment,
      v.calls_at_once - coalesce((lease_syncs.running ->> c.organization_id::text)::integer, 0) as free
    into v_connection
    from crm.connection as c
    join crm.vendor as v on v.name = c.vendor
    join app.organization as o on o.organization_id = c.organization_id
    cross join lateral (
      select s.run_at
      from crm.sync as s
      where
        s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
        and s.run_at <= v_started
      order by s.run_at
      limit 1
    ) as d
    where
      c.state = 'active'
      and c.organization_id <> all (v_seen)
      and not exists (select from app.placement as p where p.organization_id = c.organization_id and p.state <> 'copying')
      and (c.blocked_until is null or c.blocked_until <= v_started)
      and (o.environment = 'test' or c.credential_key = any (lease_syncs.key_ids))
      and v.calls_at_once > coalesce((lease_syncs.running ->> c.organization_id::text)::integer, 0)
    -- First those of which this worker has the fewest pushes. Otherwise two connections whose
    -- vendors don't answer, each with many due pushes, would take every place that becomes free.
    order by
      coalesce((lease_syncs.running ->> c.organization_id::text)::integer, 0), d.run_at, c.organization_id
    limit 1
    for no key update of c skip locked;
    exit when not found;

    v_seen := v_seen || v_connection.organization_id;
    v_free := least(v_connection.free, v_left);
    -- The addresses of pushes with open attempts, each with the oldest such push. A failed push
    -- keeps its address reserved until the vendor's search shows what it may have created.
    select jsonb_object_agg(r.email_key, r.id) into v_reserved
    from (
      select s.email_key, min(s.id::text) as id
      from crm.attempt as a
      join crm.sync as s on s.organization_id = a.organization_id and s.id = a.sync_id
      where
        a.organization_id = v_connection.organization_id
        and a.sent_at is not null
        and a.outcome is null
        and s.vendor = v_connection.vendor
        and s.account = v_connection.account
        and s.email_key is not null
        and (
          s.status in ('pending', 'in_progress')
          or a.sent_at + make_interval(secs => 5 + v_connection.settle_seconds) > v_started
        )
      group by s.email_key
    ) as r;

    for v_due in
      select s.*, l.email_key as lead_email_key, row(l.*)::app.lead_values as lead
      from crm.sync as s
      join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
      where
        s.organization_id = v_connection.organization_id
        and s.vendor = v_connection.vendor
        and s.account = v_connection.account
        and s.run_at <= v_started
      order by s.run_at, s.id
      limit 4 * v_free
      for no key update of s skip locked
    loop
      v_now := date_trunc('milliseconds', clock_timestamp());
      v_open_until := crm.open_until(v_due.organization_id, v_due.id, v_connection.settle_seconds);
      if v_open_until > v_now then
        -- The push is postponed: the answer to an earlier call may still arrive.
        update crm.sync as s
        set run_at = v_open_until
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;

      v_postponed_until := null;
      v_external_id := case v_connection.environment when 'test' then 'simulated_' || v_due.id end;
      if v_connection.has_search and v_due.lead_email_key is not null and v_external_id is null then
        if exists (
          select
          from crm.sync as s
          where
            s.organization_id = v_due.organization_id
            and s.vendor = v_due.vendor
            and s.account = v_due.account
            and s.email_key = v_due.lead_email_key
            and s.status = 'in_progress'
            and s.id <> v_due.id
        )
        or (
          v_reserved ->> v_due.lead_email_key <> v_due.id::text
          and (v_open_until is null or v_reserved ->> v_due.lead_email_key < v_due.id::text)
        ) then
          -- Another push has this address, or may have created its record. The interval grows.
          v_postponed_until := v_now + least(greatest((v_now - v_due.begun_at) / 8, interval '0.25 seconds'), interval '10 seconds');
        else
          -- A record that was just created, which the vendor's search may not show yet.
          select s.external_id, s.last_synced_at into v_recent
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
          if v_open_until is null then
            v_external_id := v_recent.external_id;
          elsif v_recent.last_synced_at + make_interval(secs => v_connection.settle_seconds) > v_now then
            -- This push may have created a record with an older address: the search must show both.
            v_postponed_until := v_recent.last_synced_at + make_interval(secs => v_connection.settle_seconds);
          end if;
        end if;
      end if;
      if v_postponed_until is not null then
        update crm.sync as s
        set status = 'pending', run_at = v_postponed_until
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;

      update crm.sync as s
      set
        status = 'in_progress',
        run_at = v_now + interval '15 seconds',
        leased_by = pg_backend_pid(),
        attempts = s.attempts + 1,
        email_key = case when v_connection.has_search then v_due.lead_email_key end
      where s.organization_id = v_due.organization_id and s.id = v_due.id;
      insert into crm.attempt (organization_id, sync_id, number, connection_revision)
      values (v_due.organization_id, v_due.id, v_due.attempts + 1, v_connection.revision);
      v_left := v_left - 1;
      -- An error about one push must not stop all others.
      begin
        if v_external_id is not null then
          perform crm.settle_attempt(
            v_due.organization_id, v_due.id, v_due.attempts + 1,
            case v_connection.environment when 'test' then 'simulated' else 'linked' end, v_external_id
          );
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
          ),
          -- A vendor's search can be case-sensitive, and another lead may have another spelling.
          array(
            select distinct a.email
            from crm.sync as s
            join crm.attempt as a on a.organization_id = s.organization_id and a.sync_id = s.id
            where
              s.organization_id = v_due.organization_id
              and s.email_key = v_due.lead_email_key
              and s.vendor = v_due.vendor
              and s.account = v_due.account
              and s.status = 'ok'
              and a.outcome = 'created'
              and lower(a.email collate "C") = v_due.lead_email_key
            limit 8
          );
      exception
        when others then
          -- Without the error's message, which may contain values.
          get stacked diagnostics v_context = pg_exception_context;
          raise warning 'The push % can''t be made (SQLSTATE %).', v_due.id, sqlstate using detail = v_context;
          perform crm.settle_attempt(
            v_due.organization_id, v_due.id, v_due.attempts + 1, 'not_made', null, null,
            format('The push can''t be made (SQLSTATE %s). The log of PostgreSQL says where.', sqlstate)
          );
          exit when v_left = 0;
          continue;
      end;
      v_free := v_free - 1;
      exit when v_free = 0 or v_left = 0;
    end loop;
  end loop;
end $$;

comment on function crm.lease_syncs(text[], integer, jsonb) is
$$Leases up to batch (1 to 64) pushes that are due, of the connections whose credential one of the keys decrypts.

Each lease is a new attempt. Its number is the fencing token. A lease ends after 15 seconds, unless crm.begin_call renews
it, and when the worker's session ends. running: how many pushes of each organization the worker already has, such as
{"<organization_id>": 3}; a connection never has more than calls_at_once. Not leased: a push with open attempts that have not
settled, a push whose address another push has, and a push that waits for Retry-After. If another lead with the same
address has just got a record, the lead is linked to it. A push of a test organization is simulated. The result contains neither
of these pushes. If a push can't be made, the attempt has failed.$$;

grant execute on function crm.lease_syncs(text[], integer, jsonb) to leads_worker;
