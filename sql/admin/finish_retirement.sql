-- admin.finish_retirement - takes a year out of the audit log, for leads audit retire.
set local role leads_jobs;

create or replace function admin.finish_retirement(year integer, since timestamptz)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform audit.detach_partitions(finish_retirement.year);
  -- Nobody can write into the year now. The archive lacks an event of it that was committed a moment ago.
  if exists (
    select
    from app.organization as o
    where exists (
      select
      from audit.unsealed as u
      where
        u.organization_id = o.organization_id
        and app.id_time(u.event_id) >= make_timestamptz(finish_retirement.year, 1, 1, 0, 0, 0, 'UTC')
        and app.id_time(u.event_id) < make_timestamptz(finish_retirement.year + 1, 1, 1, 0, 0, 0, 'UTC')
    )
  )
  then
    raise sqlstate 'PT409' using
      message = 'written_meanwhile',
      hint = 'An event of the year was written while the archive was, so that the archive lacks it. Run the command again.';
  end if;
  -- No erasure can change it either. One that did since the archive was begun has written an event.
  if exists (
    select
    from app.organization as o
    where exists (
      select
      from audit.event as e
      where
        e.organization_id = o.organization_id
        and e.action_and_source = any (
          array[
            'lead.erased/api', 'lead.erased/system', 'lead.erased/sql', 'lead.erased/worker',
            'organization.erased/api', 'organization.erased/system', 'organization.erased/sql',
            'organization.erased/worker'
          ]
        )
        and e.created_at >= finish_retirement.since
    )
  )
  then
    raise sqlstate 'PT409' using
      message = 'erased_meanwhile',
      hint = 'A lead was erased while the archive was written, so that the archive may have its values. Run the command again.';
  end if;
end $$;

comment on function admin.finish_retirement(integer, timestamptz) is
$$Detaches the partitions of a year, after admin.retire_year. Only the migrating login can execute it.

since: what audit.lock_partitions returned before the archive was begun. Raises PT409 erased_meanwhile and
written_meanwhile, and 55P03 if the locks cannot be had in 200 ms.$$;
