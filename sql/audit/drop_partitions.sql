-- audit.drop_partitions - drops the tables of a year that was taken out of the audit log.
set local role leads_owner;

create or replace function audit.drop_partitions(year integer)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  v_name text;
begin
  foreach v_name in array array['event_' || drop_partitions.year, 'seal_' || drop_partitions.year] loop
    if (select c.relispartition from pg_catalog.pg_class as c where c.oid = to_regclass(format('audit.%I', v_name))) then
      raise sqlstate 'PT409' using
        message = 'not_retired', hint = format('audit.%s is a part of the audit log. Retire the year first.', v_name);
    end if;
    execute format('drop table if exists audit.%I', v_name);
  end loop;
end $$;

comment on function audit.drop_partitions(integer) is
$$Drops the detached tables of a year. Only admin.drop_year calls it.

The foreign keys need a lock on app.organization. Raises 55P03 if it cannot be had in 200 ms, and PT409 not_retired if a table
is a partition.$$;

grant execute on function audit.drop_partitions(integer) to leads_jobs;
