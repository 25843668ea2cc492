-- admin.create_audit_partitions - creates the audit log's partitions of this year and the next.
set local role leads_jobs;

create or replace function admin.create_audit_partitions()
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_year integer := extract(year from now() at time zone 'UTC');
begin
  perform audit.create_partitions(v_year);
  perform audit.create_partitions(v_year + 1);
end $$;

comment on function admin.create_audit_partitions() is
$$Creates the partitions of the audit log and its seals for this year and the next one, unless they exist.

Without a partition for the current year every write fails. Raises 55P03 if it can't get a lock within 2 seconds. The caller
then calls it again.$$;

grant execute on function admin.create_audit_partitions() to leads_worker, leads_operator;
