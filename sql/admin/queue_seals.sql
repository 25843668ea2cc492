-- admin.queue_seals - puts the last seal of each organization into the queue of admin.count_stages, unless it is counted.
set local role leads_jobs;

create or replace function admin.queue_seals()
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
as $$
declare
  v_queued integer;
begin
  insert into app.uncounted_seal (organization_id, position)
  select o.organization_id, s.position
  from app.organization as o
  cross join lateral (
    select s.position from audit.seal as s where s.organization_id = o.organization_id order by s.position desc limit 1
  ) as s
  where
    o.erased_at is null
    and not exists (select from app.placement as f where f.organization_id = o.organization_id and f.is_fenced)
    and not exists (
      select from app.stage_progress as p where p.organization_id = o.organization_id and p.position >= s.position
    )
  order by o.organization_id
  on conflict do nothing;
  get diagnostics v_queued = row_count;
  return v_queued;
end $$;

comment on function admin.queue_seals() is
$$Puts the last seal of each organization into app.uncounted_seal, unless it is counted or in the queue. Returns their number.

admin.seal_events does the same for each batch. A worker calls this function when it starts, and once an hour: for the seals that
an older release wrote.$$;

grant execute on function admin.queue_seals() to leads_worker;
