-- admin.partition_findings - the findings about years without a partition of the audit log.
set local role leads_jobs;

create or replace function admin.partition_findings()
returns table (subject text, finding text, remedy text)
language sql stable security definer
begin atomic
  select
    format('table audit.%s_%s', t.name, y.year),
    format('The partition of audit.%s for %s doesn''t exist. Without it every write of that year fails.', t.name, y.year),
    'select admin.create_audit_partitions();'
  from (values ('event'), ('seal')) as t (name)
  cross join lateral (
    select extract(year from now() at time zone 'UTC')::integer + n as year from generate_series(0, 1) as n
  ) as y
  where not exists (
    select
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
    where
      i.inhparent = to_regclass('audit.' || t.name)
      and not i.inhdetachpending
      and c.relname = t.name || '_' || y.year
  );
end;

comment on function admin.partition_findings() is
$$Findings about a missing partition of audit.event or audit.seal for this year or the next, in the form of admin.findings().

A worker creates both every hour.$$;
