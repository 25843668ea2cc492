-- No statistics on tenant tables.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

-- EXPLAIN shows row estimates to anyone, and statistics would make them depend on other tenants' rows. So no column of a
-- tenant table keeps statistics.
do $$
declare
  v_column record;
begin
  for v_column in
    select c.oid::regclass as tenant_table, a.attname as name
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    where
      c.relnamespace in ('app'::regnamespace, 'auth'::regnamespace, 'audit'::regnamespace, 'scoring'::regnamespace, 'crm'::regnamespace)
      and c.relkind in ('r', 'p')
      and a.attnum > 0
      and exists (
        select from pg_catalog.pg_attribute as t where t.attrelid = c.oid and t.attname = 'organization_id'
      )
  loop
    execute format('alter table %s alter column %I set statistics 0', v_column.tenant_table, v_column.name);
  end loop;
end $$;
