-- webhook.first_deliveries - the delivery of each webhook that is due first.
set local role leads_jobs;

create or replace function webhook.first_deliveries()
returns table (organization_id uuid, endpoint_id uuid, next_attempt_at timestamptz)
language sql stable security invoker set search_path = pg_catalog, pg_temp
-- Without statistics the planner could read and sort all deliveries.
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
begin atomic
  -- One look into the index for each webhook, however many deliveries it has.
  with recursive first as (
    (
      select d.organization_id, d.endpoint_id, d.next_attempt_at
      from webhook.delivery as d
      where d.next_attempt_at is not null
      order by d.organization_id, d.endpoint_id, d.next_attempt_at
      limit 1
    )
    union all
    select n.organization_id, n.endpoint_id, n.next_attempt_at
    from first as f
    cross join lateral (
      select d.organization_id, d.endpoint_id, d.next_attempt_at
      from webhook.delivery as d
      where
        d.next_attempt_at is not null
        and (d.organization_id, d.endpoint_id) > (f.organization_id, f.endpoint_id)
      order by d.organization_id, d.endpoint_id, d.next_attempt_at
      limit 1
    ) as n
  )
  select f.organization_id, f.endpoint_id, f.next_attempt_at
  from first as f
  where not exists (select from app.placement as p where p.organization_id = f.organization_id and p.state <> 'copying');
end;

comment on function webhook.first_deliveries() is
  'For each webhook with pending deliveries, also a disabled one: when the first of them is due, or when its lease ends. '
  'Not of an organization that moves to another cell, from admin.drain on.';
