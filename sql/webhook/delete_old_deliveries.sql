-- webhook.delete_old_deliveries - deletes deliveries 30 days after their end, and those of deleted webhooks.
set local role leads_jobs;

create or replace function webhook.delete_old_deliveries(batch integer)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
-- Without statistics the planner could read and sort all deliveries.
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_deleted integer;
  v_of_deleted integer;
begin
  with old as (
    select e.organization_id, e.id
    from app.organization as o
    cross join lateral (
      select d.organization_id, d.id
      from webhook.delivery as d
      where d.organization_id = o.organization_id and d.ended_at < now() - interval '30 days'
      order by d.ended_at
      limit delete_old_deliveries.batch
    ) as e
    where not exists (select from app.placement as f where f.organization_id = o.organization_id and f.is_fenced)
    limit delete_old_deliveries.batch
  )
  delete from webhook.delivery as d
  using old as e
  where d.organization_id = e.organization_id and d.id = e.id;
  get diagnostics v_deleted = row_count;

  -- One look into the index for each webhook.
  with recursive owner as (
    (
      select d.organization_id, d.endpoint_id
      from webhook.delivery as d
      where d.state = 'pending'
      order by d.organization_id, d.endpoint_id
      limit 1
    )
    union all
    select n.organization_id, n.endpoint_id
    from owner as w
    cross join lateral (
      select d.organization_id, d.endpoint_id
      from webhook.delivery as d
      where d.state = 'pending' and (d.organization_id, d.endpoint_id) > (w.organization_id, w.endpoint_id)
      order by d.organization_id, d.endpoint_id
      limit 1
    ) as n
  ),
  left_over as (
    select e.organization_id, e.id
    from owner as w
    cross join lateral (
      select d.organization_id, d.id
      from webhook.delivery as d
      where d.organization_id = w.organization_id and d.endpoint_id = w.endpoint_id and d.state = 'pending'
      limit delete_old_deliveries.batch
    ) as e
    where not exists (
      select from webhook.endpoint as p where p.organization_id = w.organization_id and p.id = w.endpoint_id
    )
    -- The webhooks of an organization that arrives come last.
    and not exists (select from app.placement as f where f.organization_id = w.organization_id and f.is_fenced)
    limit delete_old_deliveries.batch - v_deleted
  )
  delete from webhook.delivery as d
  using left_over as e
  where d.organization_id = e.organization_id and d.id = e.id;
  get diagnostics v_of_deleted = row_count;
  return v_deleted + v_of_deleted;
end $$;

comment on function webhook.delete_old_deliveries(integer) is
  'Deletes up to batch deliveries of all organizations that ended more than 30 days ago, or that wait for a webhook that was '
  'deleted. Returns their number. A worker calls it every hour, until the number is less than batch.';

grant execute on function webhook.delete_old_deliveries(integer) to leads_worker;
