-- admin.figure_findings - the findings about figures of stages that lag behind the audit log.
set local role leads_jobs;

create or replace function admin.figure_findings()
returns table (subject text, finding text, remedy text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
as $$
begin
  -- A worker counts new events every second.
  return query
  select
    'organization ' || o.organization_id,
    format(
      'The figures of stages (bi.stage_history, bi.pipeline_daily) lag: events that are not counted: %s. The oldest was sealed '
      'at %s.',
      n.position - coalesce(p.position, 0), app.utc_text(f.sealed_at)
    ),
    case
      when app.is_time_zone(o.time_zone)
        then 'Start a worker (leads worker). If one runs, wait: it counts some ten thousand events per second. Its log has the errors '
          'that it meets with this organization.'
      else format(
        'The server does not know the time zone %s. Install it (Debian: tzdata-legacy), or run: leads organizations set %s '
        '--time-zone NAME', o.time_zone, o.organization_id
      )
    end
  from app.organization as o
  left join app.stage_progress as p on p.organization_id = o.organization_id
  cross join lateral (
    select s.position from audit.seal as s where s.organization_id = o.organization_id order by s.position desc limit 1
  ) as n
  cross join lateral (
    select s.sealed_at
    from audit.seal as s
    where s.organization_id = o.organization_id and s.position > coalesce(p.position, 0)
    order by s.position
    limit 1
  ) as f
  where
    o.erased_at is null and n.position > coalesce(p.position, 0) and f.sealed_at < now() - interval '5 minutes'
    and not exists (select from app.placement as e where e.organization_id = o.organization_id and e.is_fenced);
end $$;

comment on function admin.figure_findings() is
$$Findings about organizations whose sealed events have waited for admin.count_stages for more than five minutes.

In the form of admin.findings().$$;
