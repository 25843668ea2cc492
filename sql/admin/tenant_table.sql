-- admin.tenant_table - the tables that have rows of organizations.
set local role leads_jobs;

create or replace view admin.tenant_table with (security_invoker = true) as
select
  r.oid,
  r.name,
  case
    when not r.is_partition then r.name
    -- A year that was retired has no root any more.
    else coalesce(pg_partition_root(r.oid)::text, regexp_replace(r.name, '_\d+$', ''))
  end as root,
  r.is_partition,
  r.acl,
  r.has_rls,
  r.forces_rls,
  a.attnum as tenant_column
from admin.relation as r
join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attname = 'organization_id' and not a.attisdropped
where r.kind in ('r', 'p');

comment on view admin.tenant_table is
$$The tables and partitions that have a column organization_id.

root: the partitioned table to which a partition belongs, or belonged until its year was retired; for every other table its own name. tenant_column: the number of the
column organization_id.$$;
