-- admin.count_days - counts stays again after a change of the organization's time zone. admin.count_stages calls it.
set local role leads_jobs;

create or replace function admin.count_days(organization_id uuid, batch integer)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := count_days.organization_id;
  v_new_zone text;
  v_zone text;
  v_next_zone text;
  v_from uuid;
  v_to uuid;
begin
  v_new_zone := (select o.time_zone from app.organization as o where o.organization_id = v_organization_id);
  select p.time_zone, p.next_time_zone, p.next_lead_id into v_zone, v_next_zone, v_from
  from app.stage_progress as p
  where p.organization_id = v_organization_id;
  if v_new_zone = v_zone and v_next_zone is null then
    return;
  end if;

  if v_new_zone is distinct from v_next_zone then
    -- The time zone was changed, perhaps while the days of another one were being counted.
    delete from app.stage_day as d where d.organization_id = v_organization_id and d.time_zone <> v_zone;
    v_from := '00000000-0000-0000-0000-000000000000';
  end if;
  if v_new_zone <> v_zone then
    v_to := (
      select s.lead_id
      from app.stage_stay as s
      where s.organization_id = v_organization_id and s.lead_id > v_from
      order by s.lead_id
      offset count_days.batch
      limit 1
    );
    insert into app.stage_day as d (organization_id, time_zone, day, stage, entered, departed)
    select
      v_organization_id, v_new_zone, (m.at at time zone v_new_zone)::date, m.stage, sum(m.entered), sum(m.departed)
    from (
      select s.*
      from app.stage_stay as s
      where
        s.organization_id = v_organization_id
        and s.lead_id > v_from
        and s.lead_id <= coalesce(v_to, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      offset 0
    ) as s
    cross join lateral (values (s.entered_at, s.stage, 1, 0), (s.left_at, s.stage, 0, 1)) as m (at, stage, entered, departed)
    where m.at is not null
    group by (m.at at time zone v_new_zone)::date, m.stage
    on conflict (organization_id, time_zone, day, stage)
      do update set entered = d.entered + excluded.entered, departed = d.departed + excluded.departed;
    if v_to is not null then
      update app.stage_progress as p
      set next_time_zone = v_new_zone, next_lead_id = v_to
      where p.organization_id = v_organization_id;
      return;
    end if;
    delete from app.stage_day as d where d.organization_id = v_organization_id and d.time_zone <> v_new_zone;
  end if;
  update app.stage_progress as p
  set time_zone = v_new_zone, next_time_zone = null, next_lead_id = null
  where p.organization_id = v_organization_id;
end $$;

comment on function admin.count_days(uuid, integer) is
$$Counts the days of the organization's time zone, if they are not the days that app.stage_progress names as complete.

batch: how many stays it counts, and the other stays of the last lead. If more are left, app.stage_progress.next_time_zone is not
null, and the next call goes on. The caller has locked the row of app.stage_progress.$$;
