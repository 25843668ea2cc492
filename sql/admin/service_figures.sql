-- admin.service_figures - numbers about the whole installation, for the worker's metrics.
set local role leads_jobs;

create or replace function admin.service_figures()
returns table (name text, label text, value double precision)
language sql stable security definer set search_path = pg_catalog, pg_temp
-- Without statistics the planner would read a whole table to find the few rows of a partial index.
set enable_seqscan = off
set enable_bitmapscan = off
begin atomic
  with recursive pushes as (
    select
      case when s.status = 'in_progress' then 'in_progress' when s.attempts > s.begun_after then 'retrying' else 'waiting' end
        as state,
      s.begun_at
    from crm.sync as s
    where s.run_at is not null
    limit 10000
  ),
  failed as (
    select s.begun_at from crm.sync as s where s.status = 'failed' limit 10000
  ),
  deliveries as (
    select
      case when d.leased_until > clock_timestamp() then 'in_progress' when d.attempts > 0 then 'retrying' else 'waiting' end
        as state
    from webhook.delivery as d
    where d.state = 'pending'
    limit 10000
  ),
  -- The first unsealed event of each organization, each by one look into the index.
  first_events as (
    (
      select u.organization_id, u.event_id from audit.unsealed as u order by u.organization_id, u.event_id limit 1
    )
    union all
    select n.organization_id, n.event_id
    from first_events as f
    cross join lateral (
      select u.organization_id, u.event_id
      from audit.unsealed as u
      where u.organization_id > f.organization_id
      order by u.organization_id, u.event_id
      limit 1
    ) as n
  ),
  tables as (
    select
      coalesce(pg_partition_root(c.oid), c.oid)::regclass::text as table_name,
      sum(pg_total_relation_size(c.oid)) as bytes,
      sum(greatest(c.reltuples, 0)) as row_count
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where
      c.relkind in ('r', 'p')
      and n.nspname in ('admin', 'api', 'app', 'audit', 'auth', 'bi', 'crm', 'intake', 'scoring', 'webhook')
    group by 1
  )
  select 'outbox_pushes', states.state, count(p.state)
  from unnest(array['waiting', 'retrying', 'in_progress']) as states (state)
  left join pushes as p on p.state = states.state
  group by states.state
  union all
  select 'outbox_oldest_seconds', p.state, extract(epoch from clock_timestamp() - min(p.begun_at))
  from pushes as p
  group by p.state
  union all
  select 'outbox_pushes', 'failed', count(*) from failed
  union all
  select 'outbox_oldest_seconds', 'failed', extract(epoch from clock_timestamp() - min(f.begun_at))
  from failed as f
  having count(*) > 0
  union all
  select 'webhook_deliveries', states.state, count(d.state)
  from unnest(array['waiting', 'retrying', 'in_progress']) as states (state)
  left join deliveries as d on d.state = states.state
  group by states.state
  union all
  -- Of the webhooks whose secrets a worker can open.
  select
    'webhook_due_seconds', '',
    greatest(coalesce(-webhook.seconds_until_due(array(select k.key_id from webhook.sealing_key as k)), 0), 0)
  union all
  select 'webhooks', states.state, count(p.state)
  from unnest(array['working', 'failing', 'disabled']) as states (state)
  left join (
    select
      case when e.state = 'disabled' then 'disabled' when e.failing_since is not null then 'failing' else 'working' end as state
    from webhook.endpoint as e
    where e.state = 'enabled' or e.disabled_reason <> 'request'
  ) as p on p.state = states.state
  group by states.state
  union all
  select 'audit_unsealed_events', '', count(*) from (select from audit.unsealed as u limit 10000) as u
  union all
  select
    'audit_seal_lag_seconds', '',
    coalesce(extract(epoch from clock_timestamp() - min(app.id_time(f.event_id))), 0)
  from first_events as f
  union all
  select 'search_unindexed_leads', '', count(*) from (select from app.unindexed_lead as u limit 10000) as u
  union all
  select 'table_bytes', t.table_name, t.bytes from tables as t
  union all
  select 'table_rows', t.table_name, t.row_count from tables as t
  union all
  -- When a transaction of another login began is hidden, and its first transaction id is not.
  select 'transaction', a.pid || ':' || coalesce(a.backend_xid, a.backend_xmin), 1
  from pg_stat_activity as a
  where
    a.datname = current_database()
    and a.pid <> pg_backend_pid()
    and a.usesysid is not null
    and coalesce(a.backend_xid, a.backend_xmin) is not null
  union all
  select 'schema_info', api.release_version(), 1;
end;

comment on function admin.service_figures() is
$$Numbers about all organizations together, for the metrics. A worker calls it every 5 seconds.

At most 10,000 rows of a queue are counted, so 10,000 means at least as many. table_rows is PostgreSQL's estimate.
transaction: an open transaction, by the process and the transaction id.$$;

grant execute on function admin.service_figures() to leads_worker;
