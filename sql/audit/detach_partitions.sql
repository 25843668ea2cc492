-- audit.detach_partitions - takes a year out of the audit log. Its tables stay.
set local role leads_owner;

create or replace function audit.detach_partitions(year integer)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  v_table text;
begin
  foreach v_table in array array['event', 'seal'] loop
    -- The partition keeps its own trigger, which refuses changes, and row-level security without a policy.
    execute format('alter table audit.%I detach partition audit.%I', v_table, v_table || '_' || detach_partitions.year);
    execute format(
      'comment on table audit.%I is %L',
      v_table || '_' || detach_partitions.year,
      format(
        'The rows of audit.%s of the year %s in UTC, which was retired. Nobody can read them. To drop the table, run: '
        'leads audit drop --year %s --archive FILE',
        v_table, detach_partitions.year, detach_partitions.year
      )
    );
  end loop;
end $$;

comment on function audit.detach_partitions(integer) is
$$Detaches the partitions of audit.event and audit.seal of a year. Only admin.finish_retirement calls it.

The lock blocks all writers of the log. Raises 55P03 if a lock cannot be had in 200 ms; the caller then rolls back to a
savepoint, waits, and calls it again.$$;

grant execute on function audit.detach_partitions(integer) to leads_jobs;
