-- admin.finish_retirement - takes a year out of the audit log, for leads audit retire.
set local role leads_jobs;

create or replace function admin.finish_retirement(year integer, since timestamptz)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform audit.detach_partitions(finish_retirement.year);
  -- No erasure can change the year now. One that did since the archive was begun has written an event.
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

since: what audit.lock_partitions returned before the archive was begun. Raises PT409 erased_meanwhile, and 55P03 if the locks
cannot be had in 200 ms.$$;
