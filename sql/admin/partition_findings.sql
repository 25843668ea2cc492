-- admin.partition_findings - the findings about the partitions of the audit log.
set local role leads_jobs;

create or replace function admin.partition_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
begin atomic
  with attached as (
    select
      c.oid, c.oid::regclass::text as name, p.oid as parent, p.relname as root, c.relnamespace as schema_id,
      c.relname as own_name, c.relkind as kind, c.relpersistence as persistence, c.relowner as owner_id, c.relacl as acl,
      p.relowner as parent_owner_id, b.bound, b.year,
      b.bound is not distinct from format(
        'FOR VALUES FROM (''%s-01-01 00:00:00+00'') TO (''%s-01-01 00:00:00+00'')', b.year, b.year + 1
      ) as is_year,
      format('%s_%s', p.relname, b.year) as expected_name
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
    join pg_catalog.pg_class as p on p.oid = i.inhparent
    cross join lateral (
      select d.bound, substring(d.bound, '^FOR VALUES FROM \(''(\d{4})-')::integer as year
      from (select pg_get_expr(c.relpartbound, c.oid) as bound) as d
    ) as b
    where i.inhparent in (to_regclass('audit.event'), to_regclass('audit.seal')) and not i.inhdetachpending
  ),
  -- The tables of the years that were retired and not dropped.
  detached as (
    select
      c.oid, c.oid::regclass::text as name, c.relacl as acl, c.relowner as owner_id, 'audit.' || t.name as root,
      p.relowner as parent_owner_id
    from audit.retirement as r
    cross join (values ('event'), ('seal')) as t (name)
    join pg_catalog.pg_class as c on c.oid = to_regclass(format('audit.%s_%s', t.name, r.year)) and not c.relispartition
    join pg_catalog.pg_class as p on p.oid = to_regclass('audit.' || t.name)
  ),
  closed as (
    select a.oid, a.name, a.acl, a.owner_id from attached as a
    union all
    select d.oid, d.name, d.acl, d.owner_id from detached as d
  ),
  needed as (
    select t.name as root, y.year, format('audit.%s_%s', t.name, y.year) as name
    from (values ('event'), ('seal')) as t (name)
    cross join lateral (
      select extract(year from now() at time zone 'UTC')::integer + n as year from generate_series(0, 1) as n
    ) as y
  )
  select
    'table ' || n.name,
    format('The partition of audit.%s for %s doesn''t exist. Without it every write of that year fails.', n.root, n.year),
    case
      when to_regclass(n.name) is null then 'select admin.create_audit_partitions();'
      when exists (select from attached as a where a.oid = to_regclass(n.name))
      then format('The partition has other bounds: detach it, and attach it for the year %s.', n.year)
      else format(
        'alter table audit.%s attach partition %s for values from (''%s-01-01 00:00:00Z'') to (''%s-01-01 00:00:00Z'');',
        n.root, n.name, n.year, n.year + 1
      )
    end
  from needed as n
  where not exists (select from attached as a where a.root = n.root and a.year = n.year and a.is_year)
  union all
  select 'table ' || a.name, f.finding, f.remedy
  from attached as a
  cross join lateral (values
    (
      not a.is_year or a.kind <> 'r',
      format('A partition of audit.%s must have the rows of one year: %s', a.root, a.bound),
      format('Detach it, and attach it for one year: alter table audit.%s detach partition %s', a.root, a.name)
    ),
    (
      a.is_year and a.own_name <> a.expected_name,
      format('The name isn''t audit.%s, so a worker tries to create that partition.', a.expected_name),
      format('alter table %s rename to %I;', a.name, a.expected_name)
    ),
    (
      a.schema_id <> 'audit'::regnamespace,
      'A partition of the audit log must be in the schema audit.',
      format('alter table %s set schema audit;', a.name)
    ),
    (
      a.owner_id <> a.parent_owner_id,
      format('The partition belongs to %s.', a.owner_id::regrole),
      format('alter table %s owner to %s;', a.name, a.parent_owner_id::regrole)
    ),
    (
      a.persistence <> 'p',
      'The partition is unlogged: a crash of the server empties it.',
      format('alter table %s set logged;', a.name)
    )
  ) as f (is_found, finding, remedy)
  where f.is_found
  union all
  -- Statements on the parent need no privilege on the partition. Another function checks logins.
  select distinct
    format('grant %s on table %s to %s', lower(x.privilege_type), a.name, x.grantee::regrole),
    'Nobody needs a privilege on a partition of the audit log, or on the table of a retired year.',
    format('revoke %s on table %s from %s;', lower(x.privilege_type), a.name, x.grantee::regrole)
  from closed as a
  cross join lateral (
    select e.* from aclexplode(a.acl) as e
    union all
    select e.*
    from pg_catalog.pg_attribute as c
    cross join lateral aclexplode(c.attacl) as e
    where c.attrelid = a.oid
  ) as x
  where
    x.grantee not in (0, a.owner_id)
    and not exists (select from admin.role as r where r.oid = x.grantee and r.kind = 'login')
  union all
  select
    'table ' || d.name,
    format('The table of a retired year belongs to %s.', d.owner_id::regrole),
    format('alter table %s owner to %s;', d.name, d.parent_owner_id::regrole)
  from detached as d
  where d.owner_id <> d.parent_owner_id
  union all
  select
    format('trigger %I on %s', t.tgname, d.name),
    'The trigger doesn''t refuse every change of the retired year.',
    format('alter table %s enable always trigger _100_refuse_change;', d.name)
  from detached as d
  join pg_catalog.pg_trigger as t on t.tgrelid = d.oid and t.tgname = '_100_refuse_change' and t.tgenabled <> 'A'
  union all
  select
    format('policy %I on %s', p.polname, a.name),
    'A partition, or the table of a retired year, has no policies, so that nobody reads or writes it by its own name.',
    format('drop policy %I on %s;', p.polname, a.name)
  from closed as a
  join pg_catalog.pg_policy as p on p.polrelid = a.oid
  union all
  select
    format('trigger %I on %s', t.tgname, a.name),
    case
      when t.tgparentid <> 0 then 'The trigger fires at other times than that of the parent table.'
      else 'The trigger isn''t one that audit.create_partitions creates.'
    end,
    case
      when t.tgparentid <> 0
      then format(
        'alter table %s %s trigger %I;',
        a.name,
        case p.tgenabled
          when 'D' then 'disable' when 'A' then 'enable always' when 'R' then 'enable replica' else 'enable'
        end,
        t.tgname
      )
      when t.tgname = '_100_refuse_change' then format('drop trigger %I on %s; %s', t.tgname, a.name, g.creation)
      else format('drop trigger %I on %s;', t.tgname, a.name)
    end
  from attached as a
  join pg_catalog.pg_trigger as t on t.tgrelid = a.oid and not t.tgisinternal
  left join pg_catalog.pg_trigger as p on p.oid = t.tgparentid
  cross join lateral (
    select
      format(
        'CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION '
        'audit.tg_refuse(%L)',
        a.name, format('Use audit.%s, which is append-only.', a.root)
      ) as definition
  ) as e
  cross join lateral (
    select format('%s; alter table %s enable always trigger _100_refuse_change;', e.definition, a.name) as creation
  ) as g
  where t.tgenabled <> p.tgenabled or (t.tgparentid = 0 and pg_get_triggerdef(t.oid) <> e.definition)
  union all
  select
    format('constraint %I on %s', c.conname, a.name),
    'The constraint isn''t one of the parent table. It can make every write fail.',
    format('alter table %s drop constraint %I;', a.name, c.conname)
  from attached as a
  join pg_catalog.pg_constraint as c on c.conrelid = a.oid
  where
    c.coninhcount = 0
    and c.contype in ('c', 'f', 'p', 'u', 'x')
    and (a.root, c.conname) <> ('seal', a.own_name || '_position_is_unique')
  union all
  select
    'table ' || a.name,
    'No constraint holds the positions of an organization''s seals apart: two sealers can make two chains.',
    concat_ws(
      ' ',
      (
        select format('alter table %s drop constraint %I;', a.name, c.conname)
        from pg_catalog.pg_constraint as c
        where c.conrelid = a.oid and c.conname = a.own_name || '_position_is_unique'
      ),
      format(
        'alter table %s add constraint %I unique (organization_id, position);', a.name, a.own_name || '_position_is_unique'
      )
    )
  from attached as a
  where
    a.root = 'seal'
    and not exists (
      select
      from pg_catalog.pg_constraint as c
      where
        c.conrelid = a.oid
        and c.conname = a.own_name || '_position_is_unique'
        and pg_get_constraintdef(c.oid) = 'UNIQUE (organization_id, "position")'
    )
  union all
  select
    format('index %s on %s', x.indexrelid::regclass, a.name),
    'The index isn''t one of the parent table.',
    format('drop index %s;', x.indexrelid::regclass)
  from attached as a
  join pg_catalog.pg_index as x on x.indrelid = a.oid
  where
    not exists (select from pg_catalog.pg_inherits as i where i.inhrelid = x.indexrelid)
    and not exists (select from pg_catalog.pg_constraint as c where c.conindid = x.indexrelid)
  union all
  select
    format('column %s.%I', a.name, c.attname),
    'The column has another default or expression than in the parent table.',
    'Restore the default or the expression of the parent table.'
  from attached as a
  join pg_catalog.pg_attribute as c on c.attrelid = a.oid and c.attnum > 0 and not c.attisdropped
  join pg_catalog.pg_attribute as p on p.attrelid = a.parent and p.attname = c.attname
  left join pg_catalog.pg_attrdef as own on own.adrelid = c.attrelid and own.adnum = c.attnum
  left join pg_catalog.pg_attrdef as parents on parents.adrelid = p.attrelid and parents.adnum = p.attnum
  where pg_get_expr(own.adbin, own.adrelid) is distinct from pg_get_expr(parents.adbin, parents.adrelid);
end;

comment on function admin.partition_findings() is
$$Findings about a missing partition of audit.event or audit.seal for this year or the next, and about a partition that isn't as
audit.create_partitions creates it, in the form of admin.findings().

The kept catalogue doesn't have the partitions, because a worker creates them. Row-level security, statistics, and triggers
that are missing are findings of the functions for all tables.$$;
