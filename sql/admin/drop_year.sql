-- admin.drop_year - drops the tables of a year that was retired from the audit log, for leads audit drop.
set local role leads_jobs;

create or replace function admin.drop_year(year integer)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if not audit.is_migrating_login() then
    raise sqlstate 'PT409' using
      message = 'refused', hint = 'Only the login that runs the migrations can drop a year of the audit log.';
  end if;
  update audit.retirement as r
  set dropped_at = date_trunc('milliseconds', clock_timestamp())
  where r.year = drop_year.year and r.dropped_at is null;
  if not found then
    raise sqlstate 'PT409' using
      message = 'not_retired', hint = format('The year %s isn''t retired, or it was dropped before.', drop_year.year);
  end if;
  perform audit.drop_partitions(drop_year.year);
end $$;

comment on function admin.drop_year(integer) is
$$Drops the detached tables of a year. Only the migrating login can execute it. leads audit drop verifies the archive before.

Raises PT409 not_retired, and 55P03 if the locks cannot be had in 200 ms.$$;
