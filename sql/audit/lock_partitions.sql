-- audit.lock_partitions - waits until no erasure is changing the events of a year.
set local role leads_owner;

create or replace function audit.lock_partitions(year integer)
returns timestamptz language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
begin
  execute format('lock table audit.%I in share mode', 'event_' || lock_partitions.year);
  return clock_timestamp();
end $$;

comment on function audit.lock_partitions(integer) is
$$Locks the events of a year against erasures until the end of the transaction. Nothing else changes a partition of a past year.

Returns the time, after the lock was taken: an erasure that changes an event of the year later writes its own event after this
time. Raises 55P03 if the lock cannot be had in 200 ms.$$;

grant execute on function audit.lock_partitions(integer) to leads_jobs;
