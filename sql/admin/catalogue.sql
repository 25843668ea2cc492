-- admin.catalogue - lists every object of our schemas with its definition, to detect drift.
set local role leads_jobs;

create or replace function admin.catalogue()
returns table (object text, definition text, removal text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
set jit = off
begin atomic
  with relation as (
    select
      r.oid, r.name, r.kind, r.noun, r.owner_id, r.owner_id::regrole as owner, r.acl, r.persistence, r.has_rls,
      r.forces_rls,
      (select string_agg(o.option, ', ' order by o.option) from unnest(r.options) as o (option)) as options
    from admin.relation as r
    -- A worker creates the audit log's partitions.
    where not r.is_partition
  ),
  attribute as (
    select
      a.attrelid as relation, a.attnum as position, quote_ident(a.attname) as name, a.attacl as acl,
      concat_ws(
        ' ',
        format_type(a.atttypid, a.atttypmod),
        case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
        case a.attgenerated when 's' then 'generated always as' when 'v' then 'virtual as' else
          case a.attidentity when 'a' then 'identity always' when 'd' then 'identity' else
            case when d.oid is not null then 'default' end
          end
        end,
        pg_get_expr(d.adbin, d.adrelid),
        case when a.attnotnull then 'not null' end,
        'statistics ' || nullif(a.attstattarget, -1)
      ) as definition
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
  ),
  routine as (
    select
      p.oid, p.proowner as owner_id, p.proowner::regrole as owner, p.proacl as acl, p.prokind as kind,
      case p.prokind when 'a' then 'aggregate ' when 'p' then 'procedure ' else 'function ' end
      || p.oid::regprocedure as name
    from pg_catalog.pg_proc as p
    where p.pronamespace in (select s.oid from admin.schema as s)
  ),
  type as (
    select
      t.oid, format_type(t.oid, null) as name, t.typowner as owner_id, t.typowner::regrole as owner, t.typacl as acl,
      case t.typtype when 'd' then 'domain ' else 'type ' end || format_type(t.oid, null) as noun_and_name,
      case t.typtype
        when 'd' then concat_ws(
          ' ',
          'as', format_type(t.typbasetype, t.typtypmod),
          case when t.typcollation <> b.typcollation then 'collate ' || t.typcollation::regcollation end,
          'default ' || t.typdefault,
          case when t.typnotnull then 'not null' end,
          (
            select string_agg(
              format('constraint %I %s', c.conname, pg_get_constraintdef(c.oid)), ' ' order by c.conname
            )
            from pg_catalog.pg_constraint as c
            where c.contypid = t.oid and c.contype = 'c'
          )
        )
        when 'e' then format(
          'as enum (%s)',
          (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
            from pg_catalog.pg_enum as e where e.enumtypid = t.oid)
        )
        else format(
          'as (%s)',
          (select string_agg(a.name || ' ' || a.definition, ', ' order by a.position)
            from attribute as a where a.relation = t.typrelid)
        )
      end as definition
    from pg_catalog.pg_type as t
    left join pg_catalog.pg_class as c on c.oid = t.typrelid
    left join pg_catalog.pg_type as b on b.oid = t.typbasetype
    where
      t.typnamespace in (select s.oid from admin.schema as s)
      and (t.typtype in ('d', 'e') or (t.typtype = 'c' and c.relkind = 'c'))
  ),
  acl as (
    select 'schema ' || s.name as target, '' as "column", s.owner::oid as owner_id, s.acl as items
    from admin.schema as s
    union all
    select case r.kind when 'S' then 'sequence ' else 'table ' end || r.name, '', r.owner_id, r.acl
    from relation as r
    union all
    select 'table ' || r.name, format(' (%s)', a.name), r.owner_id, a.acl
    from relation as r
    join attribute as a on a.relation = r.oid
    union all
    select 'routine ' || f.oid::regprocedure, '', f.owner_id, coalesce(f.acl, acldefault('f', f.owner_id))
    from routine as f
    union all
    select 'type ' || t.name, '', t.owner_id, coalesce(t.acl, acldefault('T', t.owner_id))
    from type as t
  ),
  -- An owner's privileges follow from the ownership.
  privilege as (
    select
      format('%s%s on %s', lower(x.privilege_type), a."column", a.target) as name,
      case x.grantee when 0 then 'public' else x.grantee::regrole::text end as grantee,
      bool_or(x.is_grantable) as is_grantable
    from acl as a
    cross join lateral aclexplode(a.items) as x
    where x.grantee <> a.owner_id
    group by 1, 2
  )
  select 'server', 'PostgreSQL ' || current_setting('server_version_num')::integer / 10000, null::text

  union all
  select
    'role ' || r.name,
    format(
      'alter role %I %s;',
      r.name,
      concat_ws(
        ' ',
        case when r.is_superuser then 'superuser' else 'nosuperuser' end,
        case when r.inherits then 'inherit' else 'noinherit' end,
        case when r.can_create_roles then 'createrole' else 'nocreaterole' end,
        case when r.can_create_databases then 'createdb' else 'nocreatedb' end,
        case when r.can_login then 'login' else 'nologin' end,
        case when r.can_replicate then 'replication' else 'noreplication' end,
        case when r.bypasses_rls then 'bypassrls' else 'nobypassrls' end
      )
    ),
    null
  from admin.role as r
  where r.oid is not null

  -- The members of our roles aren't listed: analysts and the migrating login's name differ.
  union all
  select distinct
    format('membership of %I in %s', r.name, m.roleid::regrole),
    format('grant %s to %I;', m.roleid::regrole, r.name),
    format('revoke %s from %I;', m.roleid::regrole, r.name)
  from pg_catalog.pg_auth_members as m
  join admin.role as r on r.oid = m.member
  -- admin.analyst_findings compares it with the server's settings.
  where m.roleid::regrole::text <> 'pg_use_reserved_connections'

  union all
  select 'schema ' || s.name, format('alter schema %s owner to %s;', s.name, s.owner), format('drop schema %s;', s.name)
  from admin.schema as s

  union all
  select
    format('grant %s to %s', p.name, p.grantee),
    format('grant %s to %s;', p.name, p.grantee),
    format('revoke %s from %s;', p.name, p.grantee)
  from privilege as p
  union all
  select
    format('grant option for %s to %s', p.name, p.grantee),
    format('grant %s to %s with grant option;', p.name, p.grantee),
    format('revoke grant option for %s from %s;', p.name, p.grantee)
  from privilege as p
  where p.is_grantable

  union all
  select
    format(
      'default privileges of %s on %s%s', d.defaclrole::regrole, t.noun,
      ' in ' || nullif(d.defaclnamespace, 0)::regnamespace
    ),
    (
      select string_agg(
        concat_ws(
          ' ', lower(x.privilege_type), 'to', case x.grantee when 0 then 'public' else x.grantee::regrole::text end
        ), ', ' order by x.privilege_type, x.grantee::regrole::text
      )
      from aclexplode(d.defaclacl) as x
    ),
    null
  from pg_catalog.pg_default_acl as d
  join (values
    ('r'::"char", 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas'),
    ('L', 'large objects')
  ) as t (kind, noun) on t.kind = d.defaclobjtype
  where d.defaclrole in (select r.oid from admin.role as r)

  union all
  select
    r.noun || ' ' || r.name,
    case r.kind
      when 'v' then format(
        e'create or replace view %s%s as\n%s\nalter view %1$s owner to %4$s;',
        r.name, ' with (' || r.options || ')', pg_get_viewdef(r.oid), r.owner
      )
      when 'm' then format('owner %s as %s', r.owner, pg_get_viewdef(r.oid))
      when 'S' then format(
        'alter sequence %s as %s start %s increment %s minvalue %s maxvalue %s cache %s %s owner to %s;',
        r.name, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
        case when s.seqcycle then 'cycle' else 'no cycle' end, r.owner
      )
      else format(
        'alter %s %s %s;',
        r.noun,
        r.name,
        concat_ws(
          ', ',
          format('owner to %s', r.owner),
          case when r.has_rls then 'enable row level security' else 'disable row level security' end,
          case when r.forces_rls then 'force row level security' else 'no force row level security' end,
          case when r.kind = 'r' then case r.persistence when 'u' then 'set unlogged' else 'set logged' end end,
          'set (' || r.options || ')'
        )
      )
    end,
    format('drop %s %s;', r.noun, r.name)
  from relation as r
  left join pg_catalog.pg_sequence as s on s.seqrelid = r.oid

  union all
  select
    format('column %s.%s', r.name, a.name),
    a.definition,
    format('alter table %s drop column %s;', r.name, a.name)
  from relation as r
  join attribute as a on a.relation = r.oid
  where r.kind in ('r', 'p', 'f')

  -- From PostgreSQL 18 on a column's NOT NULL is a constraint. It is listed with the column here.
  union all
  select
    format('constraint %I on %s', c.conname, r.name),
    format(
      e'alter table %s drop constraint if exists %I;\nalter table %1$s add constraint %2$I %3$s;',
      r.name, c.conname, pg_get_constraintdef(c.oid)
    ),
    format('alter table %s drop constraint %I;', r.name, c.conname)
  from relation as r
  join pg_catalog.pg_constraint as c on c.conrelid = r.oid
  where c.contype in ('c', 'f', 'p', 'u', 'x')

  union all
  select
    format('index %s on %s', i.indexrelid::regclass, r.name),
    concat_ws(
      e'\n',
      format('drop index if exists %s;', i.indexrelid::regclass),
      pg_get_indexdef(i.indexrelid) || ';',
      case when not i.indisvalid then '-- invalid' end,
      (
        select string_agg(
          format('alter index %s alter column %s set statistics %s;', i.indexrelid::regclass, a.attnum, a.attstattarget),
          e'\n' order by a.attnum
        )
        from pg_catalog.pg_attribute as a
        where a.attrelid = i.indexrelid and a.attstattarget >= 0
      )
    ),
    format('drop index %s;', i.indexrelid::regclass)
  from relation as r
  join pg_catalog.pg_index as i on i.indrelid = r.oid
  where not exists (
    select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')
  )

  union all
  select
    format('trigger %I on %s', t.tgname, r.name),
    concat_ws(
      e'\n',
      format('drop trigger if exists %I on %s;', t.tgname, r.name),
      pg_get_triggerdef(t.oid) || ';',
      case t.tgenabled
        when 'A' then format('alter table %s enable always trigger %I;', r.name, t.tgname)
        when 'R' then format('alter table %s enable replica trigger %I;', r.name, t.tgname)
        when 'D' then format('alter table %s disable trigger %I;', r.name, t.tgname)
      end
    ),
    format('drop trigger %I on %s;', t.tgname, r.name)
  from relation as r
  join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
  where not t.tgisinternal

  union all
  select
    format('policy %I on %s', p.polname, r.name),
    format(
      e'drop policy if exists %I on %s;\ncreate policy %1$I on %2$s as %3$s for %4$s to %5$s%6$s%7$s;',
      p.polname,
      r.name,
      case when p.polpermissive then 'permissive' else 'restrictive' end,
      case p.polcmd
        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
      end,
      (
        select string_agg(
          case g.id when 0 then 'public' else g.id::regrole::text end, ', ' order by g.id::regrole::text
        )
        from unnest(p.polroles) as g (id)
      ),
      ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
    ),
    format('drop policy %I on %s;', p.polname, r.name)
  from relation as r
  join pg_catalog.pg_policy as p on p.polrelid = r.oid

  union all
  select
    format('rule %I on %s', w.rulename, r.name),
    pg_get_ruledef(w.oid),
    format('drop rule %I on %s;', w.rulename, r.name)
  from relation as r
  join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
  where w.rulename <> '_RETURN'

  union all
  select
    f.name,
    case when f.kind = 'a' then format('owner %s', f.owner) else
      format(
        e'%s;\nalter routine %s owner to %s;', rtrim(pg_get_functiondef(f.oid), e'\n'), f.oid::regprocedure, f.owner
      )
    end,
    format('drop %s;', f.name)
  from routine as f

  union all
  select
    t.noun_and_name,
    format(e'create %s %s;\nalter %1$s owner to %3$s;', t.noun_and_name, t.definition, t.owner),
    format('drop %s;', t.noun_and_name)
  from type as t

  -- Every other kind of object in a schema, such as operators and collations. We have none.
  union all
  select distinct
    format('%s %s', replace(o.type, ' object', ''), o.identity),
    '',
    format('drop %s %s;', replace(o.type, ' object', ''), o.identity)
  from pg_catalog.pg_depend as d
  cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) as o
  where
    d.refclassid = 'pg_catalog.pg_namespace'::regclass
    and d.refobjid in (select s.oid from admin.schema as s)
    and d.classid not in (
      'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass,
      'pg_catalog.pg_default_acl'::regclass
    );
end;

comment on function admin.catalogue() is
$$Every object of our schemas, every privilege on them, and our roles. The text doesn't depend on the session's settings.

definition: SQL that creates or restores the object and ends with a semicolon. If no single statement could, it is a
description without a semicolon. removal: SQL that removes the object; null if it can't be removed.$$;
