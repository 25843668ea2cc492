-- admin.relation - the tables, views and sequences in the schemas that leads doctor examines.
set local role leads_jobs;

create or replace view admin.relation with (security_invoker = true) as
select
  c.oid,
  c.oid::regclass::text as name,
  c.relkind as kind,
  case c.relkind
    when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S' then 'sequence'
    else 'table'
  end as noun,
  c.relowner as owner_id,
  c.relacl as acl,
  c.reloptions as options,
  c.relpersistence as persistence,
  c.relrowsecurity as has_rls,
  c.relforcerowsecurity as forces_rls,
  c.relispartition
  or (
    c.relnamespace = 'audit'::regnamespace
    and c.relname in (
      select format('%s_%s', t.name, r.year)
      from audit.retirement as r
      cross join (values ('event'), ('seal')) as t (name)
    )
  ) as is_partition
from pg_catalog.pg_class as c
where c.relnamespace in (select s.oid from admin.schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S');

comment on view admin.relation is
$$The tables, partitions, views, foreign tables and sequences in the schemas of admin.schema.

is_partition: also of a table that was a partition of the audit log, until its year was retired.
name: with its schema if the caller's search_path is pg_catalog.$$;
