-- admin.count_stages - writes the leads' stays in stages from the sealed events. A worker calls it every second.
set local role leads_jobs;

create or replace function admin.count_stages(after uuid default null, batch integer default 1000, until uuid default null)
returns table (organization_id uuid, counted integer) language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- Without statistics the planner could read all rows of an organization for a join with a few.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := coalesce(count_stages.after, '00000000-0000-0000-0000-000000000000');
  v_last_id uuid := coalesce(count_stages.until, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_progress app.stage_progress;
  v_time_zone text;
  v_erased_at timestamptz;
  v_last bigint;
  v_until bigint;
  v_is_done boolean;
begin
  loop
    v_organization_id := (
      select u.organization_id
      from app.uncounted_seal as u
      where
        u.organization_id > v_organization_id
        and u.organization_id <= v_last_id
        and not exists (select from app.placement as f where f.organization_id = u.organization_id and f.is_fenced)
      order by u.organization_id
      limit 1
    );
    if v_organization_id is null then
      return;
    end if;
    -- The erasure of an organization waits for this, and afterwards nothing is written.
    select o.time_zone, o.erased_at into v_time_zone, v_erased_at
    from app.organization as o
    where o.organization_id = v_organization_id
    for key share skip locked;
    continue when not found;
    if v_erased_at is not null then
      delete from app.uncounted_seal as u where u.organization_id = v_organization_id;
      continue;
    end if;
    -- Its days can't be counted, and the other organizations do not wait for it. leads doctor reports it.
    continue when not app.is_time_zone(v_time_zone);
    -- One session at a time works for an organization; a second one takes another organization.
    select p.* into v_progress
    from app.stage_progress as p
    where p.organization_id = v_organization_id
    for update skip locked;
    exit when found;
    insert into app.stage_progress (organization_id, time_zone) values (v_organization_id, v_time_zone)
    on conflict do nothing
    returning * into v_progress;
    exit when found;
  end loop;

  -- The days of a time zone that the server does not know any more are left: admin.count_days deletes them.
  v_progress.time_zone := case when app.is_time_zone(v_progress.time_zone) then v_progress.time_zone end;
  v_progress.next_time_zone := case when app.is_time_zone(v_progress.next_time_zone) then v_progress.next_time_zone end;

  -- Another session may have counted all since the organization was found.
  v_last := greatest(v_progress.position, (
    select u.position from app.uncounted_seal as u where u.organization_id = v_organization_id order by u.position desc limit 1
  ));
  -- A range instead of a limit: the positions have no gap, and no plan can read more. From here on, a sealer may add seals and
  -- a row of the queue, which are left to the next call.
  v_until := least(v_progress.position + count_stages.batch, v_last);

  with change as (
    select s.position, e.lead_id, e.created_at, e.stage_left, e.stage_entered
    from audit.seal as s
    -- OFFSET prevents a plan that reads all events of the organization.
    cross join lateral (
      select e.lead_id, e.created_at, e.stage_left, e.stage_entered
      from audit.event as e
      where e.organization_id = v_organization_id and e.id = s.event_id and e.created_at = s.created_at
      offset 0
    ) as e
    where
      s.organization_id = v_organization_id
      and s.position > v_progress.position
      and s.position <= v_until
      and (e.stage_left is not null or e.stage_entered is not null)
  ),
  -- Changes of one lead wait for each other, so their seals are in the order of the changes.
  step as (
    select
      c.*,
      row_number() over lead_in_order = 1 as is_first,
      lead(c.created_at) over lead_in_order as left_at,
      lead(c.stage_entered) over lead_in_order as next_stage
    from change as c
    window lead_in_order as (partition by c.lead_id order by c.position)
  ),
  stay as (
    -- The stay that ends with a lead's first change of the batch. OFFSET prevents a plan that begins with the stays.
    select t.lead_id, t.position, t.entered_at, s.created_at as left_at, t.stage, s.stage_entered as next_stage, false as is_new
    from step as s
    cross join lateral (
      select t.lead_id, t.position, t.entered_at, t.stage
      from app.stage_stay as t
      where t.organization_id = v_organization_id and t.lead_id = s.lead_id and t.left_at is null
      offset 0
    ) as t
    where s.is_first
    union all
    select s.lead_id, s.position, s.created_at, s.left_at, s.stage_entered, s.next_stage, true
    from step as s
    where s.stage_entered is not null
  ),
  -- Not an UPDATE with a join: while the table is small, its plan would read all stays, and be kept.
  written as (
    insert into app.stage_stay (organization_id, lead_id, position, entered_at, left_at, stage, next_stage)
    select v_organization_id, s.lead_id, s.position, s.entered_at, s.left_at, s.stage, s.next_stage
    from stay as s
    on conflict (organization_id, lead_id, position)
      do update set left_at = excluded.left_at, next_stage = excluded.next_stage
  ),
  movement as (
    select s.lead_id, s.stage, s.entered_at as at, 1 as entered, 0 as departed from stay as s where s.is_new
    union all
    select s.lead_id, s.stage, s.left_at, 0, 1 from stay as s where s.left_at is not null
  )
  insert into app.stage_day as d (organization_id, time_zone, day, stage, entered, departed)
  select
    v_organization_id, z.name, (m.at at time zone z.name)::date, m.stage, sum(m.entered), sum(m.departed)
  from movement as m
  -- After a change of the time zone, the leads that admin.count_days has counted already.
  join (
    values
      (v_progress.time_zone, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid),
      (v_progress.next_time_zone, v_progress.next_lead_id)
  ) as z (name, last_lead_id) on m.lead_id <= z.last_lead_id and z.name is not null
  group by z.name, (m.at at time zone z.name)::date, m.stage
  on conflict (organization_id, time_zone, day, stage)
    do update set entered = d.entered + excluded.entered, departed = d.departed + excluded.departed;

  update app.stage_progress as p
  set
    position = v_until,
    counted_until = greatest(p.counted_until, (
      select s.created_at from audit.seal as s where s.organization_id = v_organization_id and s.position = v_until
    ))
  where p.organization_id = v_organization_id;

  perform admin.count_days(v_organization_id, 20 * count_stages.batch);
  v_is_done := v_until >= v_last and (
    select p.next_time_zone is null from app.stage_progress as p where p.organization_id = v_organization_id
  );
  if v_is_done then
    delete from app.uncounted_seal as u where u.organization_id = v_organization_id and u.position <= v_until;
  end if;
  return query select
    v_organization_id,
    case when v_is_done then (v_until - v_progress.position)::integer else count_stages.batch end;
end $$;

comment on function admin.count_stages(uuid, integer, uuid) is
$$Writes the stays and the days of up to batch sealed events of one organization into app.stage_stay and app.stage_day.

It takes the first organization with an id greater than "after" that has seals in the queue app.uncounted_seal; null: the first
of all. until: the greatest id that it may take; null: any. Returns no row if there is no such organization. counted: the
number of events; batch, if there is more to do.

A call that is interrupted changes nothing, and the next one begins with the same event. Several workers may call it at the
same time. Once an event is counted, the figures do not need it any more.$$;

grant execute on function admin.count_stages(uuid, integer, uuid) to leads_worker;
