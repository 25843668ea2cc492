-- admin.function_findings - the findings about functions' owners, rights and search_path.
set local role leads_jobs;

create or replace function admin.function_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  with routine as (
    select
      p.oid::regprocedure as name, n.nspname as schema, s.oid is not null as is_ours, o.rolname as owner,
      r.oid is not null as is_owner_ours, coalesce(n.nspname = any (r.definer_schemas), false) as may_be_definer,
      p.prosecdef as is_definer, p.prosqlbody is not null as is_atomic, p.proconfig as settings,
      p.proleakproof as is_leakproof, coalesce(p.proacl, acldefault('f', p.proowner)) as acl
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    join pg_catalog.pg_roles as o on o.oid = p.proowner
    left join admin.schema as s on s.oid = n.oid
    left join admin.role as r on r.oid = o.oid and r.is_owner
    where s.oid is not null or r.oid is not null
  ),
  -- The usual owner of a SECURITY DEFINER function, for the schemas that may have one.
  definer as (
    select s.schema, min(r.name) as owner
    from admin.role as r
    cross join lateral unnest(r.definer_schemas) as s (schema)
    group by s.schema
  )
  select
    'function ' || f.name,
    'The caller''s search_path or temporary objects decide what the names in the function mean.',
    format('alter routine %s set search_path = pg_catalog, pg_temp;', f.name)
  from routine as f
  where f.is_ours and not f.is_atomic and not coalesce(f.settings @> array['search_path=pg_catalog, pg_temp'], false)
  union all
  select
    format('grant execute on routine %s to public', f.name),
    'Every role may execute the function.',
    format('revoke execute on routine %s from public;', f.name)
  from routine as f
  where
    f.is_ours
    -- leads serve calls it to check its own login, whatever login that is.
    and f.name::text <> 'api.session_faults()'
    and exists (select from aclexplode(f.acl) as x where x.grantee = 0)
  union all
  select
    'function ' || f.name,
    format('The function belongs to %s.', f.owner),
    format('alter routine %s owner to %I;', f.name, coalesce(d.owner, 'leads_owner'))
  from routine as f
  left join definer as d on d.schema = f.schema
  where
    f.is_ours
    and (not f.is_owner_ours or (f.is_definer and d.schema is not null and not f.may_be_definer))
    -- Only the owner of the audit log can add a partition to it, or take one out, and only that of a table can publish it.
    and (
      f.owner <> 'leads_owner'
      or f.name::text not in (
        'audit.create_partitions(integer)', 'audit.lock_partitions(integer)', 'audit.detach_partitions(integer)',
        'audit.drop_partitions(integer)', 'audit.publish_rows(uuid,text[])', 'audit.unpublish_rows(uuid)'
      )
    )
  union all
  select
    'function ' || f.name,
    format('The function is SECURITY DEFINER, with the rights of %s. No function in this schema needs that.', f.owner),
    format('alter routine %s security invoker;', f.name)
  from routine as f
  where f.is_ours and f.is_definer and f.schema not in (select d.schema from definer as d)
  union all
  select
    format('%s %s', k.noun, c.oid::regclass),
    format('It belongs to %s, but it is in a schema of another application.', c.relowner::regrole),
    format('drop %s %s;', k.noun, c.oid::regclass)
  from pg_catalog.pg_class as c
  join admin.role as r on r.oid = c.relowner
  join (values ('r'::"char", 'table'), ('p', 'table'), ('v', 'view'), ('m', 'materialized view')) as k (kind, noun)
    on k.kind = c.relkind
  -- admin.partition_findings moves a partition back.
  where c.relnamespace not in (select s.oid from admin.schema as s) and not c.relispartition
  union all
  select
    'function ' || f.name,
    format('It belongs to %s, but it is in a schema of another application.', f.owner),
    format('drop routine %s;', f.name)
  from routine as f
  where f.is_owner_ours and not f.is_ours
  union all
  select
    'function ' || f.name,
    'The function is marked as leakproof: the planner may give it rows that a policy hides.',
    format('/* as a superuser */ alter function %s not leakproof;', f.name)
  from routine as f
  where f.is_ours and f.is_leakproof
  union all
  select
    format('default privileges of %s on functions', r.name),
    'Every role may execute each function that this role creates.',
    format('alter default privileges for role %I revoke execute on functions from public;', r.name)
  from admin.role as r
  left join pg_catalog.pg_default_acl as d on d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
  where
    r.is_owner
    and r.oid is not null
    and exists (select from aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) as x where x.grantee = 0);
end;

comment on function admin.function_findings() is
  'Findings about functions, and about objects outside of our schemas, in the form of admin.findings().';
