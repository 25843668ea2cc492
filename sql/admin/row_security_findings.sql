-- admin.row_security_findings - the tables and views that row-level security doesn't protect.
set local role leads_jobs;

create or replace function admin.row_security_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    'table ' || t.name,
    'Row-level security is disabled: every role that may read the table reads the rows of all organizations.',
    format('alter table %s enable row level security;', t.name)
  from admin.tenant_table as t
  where not t.has_rls
  union all
  select
    'table ' || t.name,
    'Row-level security isn''t forced, so it doesn''t apply to the table''s owner.',
    format('alter table %s force row level security;', t.name)
  from admin.tenant_table as t
  where not t.forces_rls
  union all
  select
    'view ' || v.name,
    'The view reads with its owner''s rights and not with those of the caller.',
    format('alter view %s set (security_invoker = true);', v.name)
  from admin.relation as v
  where
    v.kind = 'v'
    and not coalesce(v.options @> array['security_invoker=true'], false)
    -- Reviewed: it returns the key of the claim only.
    and v.name <> 'auth.claimed_key'
  union all
  select
    format('%s %s', r.noun, r.name),
    format('Row-level security can''t protect a %s.', r.noun),
    format('drop %s %s;', r.noun, r.name)
  from admin.relation as r
  where r.kind in ('m', 'f')
  union all
  select
    format('rule %I on %s', w.rulename, r.name),
    'A rule rewrites statements on the table, and may discard them.',
    format('drop rule %I on %s;', w.rulename, r.name)
  from admin.relation as r
  join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
  where r.kind not in ('v', 'm') and w.rulename <> '_RETURN';
end;

comment on function admin.row_security_findings() is
  'Findings about tables, views and rules that defeat row-level security, in the form of admin.findings().';
