-- admin.statistics_findings - findings about statistics of tenant tables, and invalid indexes.
set local role leads_jobs;

create or replace function admin.statistics_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    format('column %s.%I', t.name, a.attname),
    'ANALYZE collects statistics of the column: EXPLAIN shows one organization what others have.',
    format('alter table %s alter column %I set statistics 0;', t.name, a.attname)
  from admin.tenant_table as t
  join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  where coalesce(a.attstattarget, -1) <> 0
  union all
  select
    format('index %s on %s', i.indexrelid::regclass, t.name),
    'ANALYZE collects statistics of an expression in the index: EXPLAIN shows one organization what others have.',
    format('alter index %s alter column %s set statistics 0;', i.indexrelid::regclass, a.attnum)
  from admin.tenant_table as t
  join pg_catalog.pg_index as i on i.indrelid = t.oid
  join pg_catalog.pg_attribute as a on a.attrelid = i.indexrelid
  where i.indkey[a.attnum - 1] = 0 and coalesce(a.attstattarget, -1) <> 0
  union all
  select
    format('statistics %I.%I', n.nspname, s.stxname),
    'ANALYZE collects statistics of several columns: EXPLAIN shows one organization what others have.',
    format('drop statistics %I.%I;', n.nspname, s.stxname)
  from admin.tenant_table as t
  join pg_catalog.pg_statistic_ext as s on s.stxrelid = t.oid
  join pg_catalog.pg_namespace as n on n.oid = s.stxnamespace
  union all
  select
    format('index %s on %s', i.indexrelid::regclass, r.name),
    'The index is invalid, so no query uses it: CREATE INDEX CONCURRENTLY did not finish.',
    format('reindex index %s;', i.indexrelid::regclass)
  from admin.relation as r
  join pg_catalog.pg_index as i on i.indrelid = r.oid
  where not i.indisvalid;
end;

comment on function admin.statistics_findings() is
  'Findings about statistics of tenant tables and about invalid indexes, in the form of admin.findings().';
