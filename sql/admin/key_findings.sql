-- admin.key_findings - the findings about keys and indexes that don't begin with organization_id.
set local role leads_jobs;

create or replace function admin.key_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    format('index %s on %s', i.indexrelid::regclass, t.name),
    'The index doesn''t begin with organization_id: EXPLAIN shows one organization what others have.',
    format('drop index %s;', i.indexrelid::regclass)
  from admin.tenant_table as t
  join pg_catalog.pg_index as i on i.indrelid = t.oid
  where
    i.indkey[0] <> t.tenant_column
    and not exists (select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.conrelid = t.oid)
  union all
  select
    format('constraint %I on %s', c.conname, t.name),
    case c.contype
      when 'f' then 'The foreign key doesn''t begin with organization_id: it can refer to another organization''s row.'
      else 'The key doesn''t begin with organization_id: EXPLAIN shows one organization what others have.'
    end,
    format('alter table %s drop constraint %I;', t.name, c.conname)
  from admin.tenant_table as t
  join pg_catalog.pg_constraint as c on c.conrelid = t.oid
  left join pg_catalog.pg_index as i on i.indexrelid = c.conindid
  where
    t.tenant_column <> case when c.contype = 'f' then c.conkey[1] when c.contype in ('p', 'u', 'x') then i.indkey[0] end
    -- These keys find the organization, so they can't begin with it.
    and c.conname not in ('api_key_digest_is_unique', 'analyst_role_oid_is_unique');
end;

comment on function admin.key_findings() is
$$Findings about keys and indexes of tenant tables, in the form of admin.findings().

The remedy drops the key; admin.findings() replaces it by the kept definition if there is one.$$;
