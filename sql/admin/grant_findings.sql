-- admin.grant_findings - the findings about privileges that no login needs.
set local role leads_jobs;

create or replace function admin.grant_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  with privilege as (
    select
      case r.kind when 'S' then 'sequence ' else 'table ' end || r.name as target, false as is_schema,
      lower(x.privilege_type) as name, x.grantee
    from admin.relation as r
    cross join lateral aclexplode(r.acl) as x
    union all
    select 'table ' || r.name, false, format('%s (%I)', lower(x.privilege_type), a.attname), x.grantee
    from admin.relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid
    cross join lateral aclexplode(a.attacl) as x
    union all
    select format('schema %s', s.name), true, lower(x.privilege_type), x.grantee
    from admin.schema as s
    cross join lateral aclexplode(s.acl) as x
  )
  select
    format('grant %s on %s to %s', p.name, p.target, r.name),
    case
      when p.is_schema then 'The role can create objects that take the place of ours.'
      else 'The login must access tables through functions only.'
    end,
    format('revoke %s on %s from %I;', p.name, p.target, r.name)
  from privilege as p
  join admin.role as r on r.oid = p.grantee
  where
    case
      when p.is_schema then p.name = 'create' and r.kind in ('login', 'group')
      -- A view without rows: COPY writes to it, and its trigger stores the rows.
      else r.kind = 'login' and (r.name, p.name, p.target) <> ('leads_operator', 'insert', 'table admin.import_line')
    end
  union all
  select
    format('grant %s on %s to public', p.name, p.target),
    'Every role has the privilege.',
    format('revoke %s on %s from public;', p.name, p.target)
  from privilege as p
  where p.grantee = 0
  union all
  select
    format('grant %s on database to %s', lower(x.privilege_type), coalesce(r.name, 'public')),
    case x.privilege_type
      when 'CREATE' then 'The role can create schemas, and in them functions that take the place of others.'
      else 'The role can create temporary objects, which take the place of others if a search_path permits it.'
    end,
    case
      when r.name is null and x.privilege_type = 'TEMPORARY'
      then 'As a superuser, run in this database: psql -f app/superuser.sql'
      else format('revoke %s on database %I from %s;', lower(x.privilege_type), d.datname, coalesce(r.name, 'public'))
    end
  from pg_catalog.pg_database as d
  cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as x
  left join admin.role as r on r.oid = x.grantee
  where
    d.datname = current_database()
    and x.privilege_type in ('CREATE', 'TEMPORARY')
    and (x.grantee = 0 or r.kind in ('login', 'group'))
  union all
  select
    format('grant %s on schema public to public', lower(x.privilege_type)),
    'No role may use the schema public, which stays empty.',
    'As a superuser, run in this database: psql -f app/superuser.sql'
  from pg_catalog.pg_namespace as n
  cross join lateral aclexplode(n.nspacl) as x
  where n.nspname = 'public' and x.grantee = 0
  union all
  select
    format('grant execute on function %s to public', f.oid::regprocedure),
    k.finding,
    'As a superuser, run in this database: psql -f app/superuser.sql'
  from pg_catalog.pg_proc as f
  cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as x
  join (values
    ('^lo_(creat|create|from_bytea|import|export)$', 0,
      'Every role can store data in large objects, which no policy protects.'),
    ('^pg_(try_)?advisory_(xact_)?lock(_shared)?$', 0,
      'Every role can fill the server''s table of locks. Then no request gets its locks.'),
    ('^pg_export_snapshot$', 0, 'Every role can fill a folder of the server with files.'),
    ('^(pg_current_xact_id|txid_current)$', 0,
      'Every role can use up the server''s transaction ids. Then PostgreSQL refuses every write.'),
    ('^pg_logical_emit_message$', 170000, 'Every role can fill the disk with the write-ahead log.'),
    (
      '^pg_(current_wal_(insert_|flush_)?lsn|last_(wal_(receive|replay)_lsn|xact_replay_timestamp)|'
      'control_(checkpoint|recovery)|get_replication_slots|'
      'stat_get_((backend_)?(io|wal)|replication_slot|subscription|archiver|recovery_prefetch))$', 0,
      'Every role can see how much other sessions write.')
  ) as k (pattern, since, finding)
    on f.proname ~ k.pattern and current_setting('server_version_num')::integer >= k.since
  where
    f.pronamespace = 'pg_catalog'::regnamespace
    and x.grantee = 0
  union all
  select
    'function ' || f.oid::regprocedure,
    'The owner of auth.current_position and auth.position_states may not execute it, so no replica can be used.',
    'As a superuser, run in this database: psql -f app/superuser.sql'
  from pg_catalog.pg_proc as f
  where
    f.pronamespace = 'pg_catalog'::regnamespace
    and f.proname in ('pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn', 'pg_last_wal_replay_lsn')
    and not has_function_privilege('leads_auth', f.oid, 'execute')
  union all
  select
    format('grant %s on parameter %s to %s', lower(x.privilege_type), p.parname, coalesce(r.name, 'public')),
    'The role can change a setting that only superusers may change.',
    format(
      '/* as a superuser */ revoke %s on parameter %s from %s;',
      lower(x.privilege_type), p.parname, coalesce(quote_ident(r.name), 'public')
    )
  from pg_catalog.pg_parameter_acl as p
  cross join lateral aclexplode(p.paracl) as x
  left join admin.role as r on r.oid = x.grantee
  where x.grantee = 0 or r.oid is not null;
end;

comment on function admin.grant_findings() is 'Findings about privileges, in the form of admin.findings().';
