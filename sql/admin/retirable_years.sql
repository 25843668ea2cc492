-- admin.retirable_years - lists the years of the audit log before a time, for leads audit retire.
set local role leads_jobs;

create or replace function admin.retirable_years(before integer)
returns table (year integer, kept_by uuid[], unsealed_of uuid[], uncounted_of uuid[]) language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  with partition as (
    select substring(c.relname from '^event_(\d{4})$')::integer as year
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'audit.event'::regclass
  ),
  bound as (
    select
      p.year,
      make_timestamptz(p.year, 1, 1, 0, 0, 0, 'UTC') as start_at,
      make_timestamptz(p.year + 1, 1, 1, 0, 0, 0, 'UTC') as end_at
    from partition as p
    -- The clock of the command can be ahead.
    where p.year < least(retirable_years.before, extract(year from now() at time zone 'UTC')::integer)
  )
  select
    b.year,
    array(
      select o.organization_id
      from app.organization as o
      where
        b.end_at + make_interval(years => o.keep_audit_years) > now()
        and exists (
          select
          from audit.event as e
          where e.organization_id = o.organization_id and e.created_at >= b.start_at and e.created_at < b.end_at
        )
      order by o.organization_id
    ),
    array(
      select o.organization_id
      from app.organization as o
      where exists (
        select
        from audit.unsealed as u
        where
          u.organization_id = o.organization_id
          and app.id_time(u.event_id) >= b.start_at
          and app.id_time(u.event_id) < b.end_at
      )
      order by o.organization_id
    ),
    array(
      select o.organization_id
      from app.organization as o
      left join app.stage_progress as p on p.organization_id = o.organization_id
      where
        o.erased_at is null
        and exists (
          select
          from audit.seal as s
          where
            s.organization_id = o.organization_id
            and s.position > coalesce(p.position, 0)
            and s.created_at >= b.start_at
            and s.created_at < b.end_at
        )
      order by o.organization_id
    )
  from bound as b
  order by b.year;
end;

comment on function admin.retirable_years(integer) is
$$The years before a year, and before the current one, that are part of the audit log, the oldest first. Only the migrating login can execute it.

kept_by: the organizations that have events in the year and keep them longer (keep_audit_years). unsealed_of: the
organizations with events in the year that are not sealed. uncounted_of: those with events that admin.count_stages has not
counted.$$;
