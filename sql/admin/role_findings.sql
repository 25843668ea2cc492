-- admin.role_findings - the findings about the roles' attributes and memberships.
set local role leads_jobs;

create or replace function admin.role_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    'role ' || r.name,
    'The role doesn''t exist.',
    format('create role %I %s;', r.name, case r.kind when 'login' then 'login' else 'nologin' end)
  from admin.role as r
  where r.oid is null
  union all
  select
    'role ' || r.name,
    format('The role has the attribute %s, which it doesn''t need.', a.name),
    format('/* as a superuser */ alter role %I no%s;', r.name, lower(a.name))
  from admin.role as r
  cross join lateral (values
    ('SUPERUSER', r.is_superuser), ('BYPASSRLS', r.bypasses_rls), ('CREATEROLE', r.can_create_roles),
    ('CREATEDB', r.can_create_databases), ('REPLICATION', r.can_replicate)
  ) as a (name, is_held)
  where a.is_held
  union all
  select
    'role ' || r.name,
    'The role can log in. A role that owns objects must not.',
    format('alter role %I nologin;', r.name)
  from admin.role as r
  where r.can_login and r.kind <> 'login'
  union all
  select 'role ' || r.name, 'The role can''t log in.', format('alter role %I login;', r.name)
  from admin.role as r
  where not r.can_login and r.kind = 'login'
  union all
  select
    'role ' || r.name,
    format('The login''s password was valid until %s, so no new session can begin.', app.utc_text(r.valid_until)),
    format('alter role %I valid until ''infinity'';', r.name)
  from admin.role as r
  where r.kind = 'login' and r.valid_until <= now()
  union all
  select
    'role ' || r.name,
    'The role may not connect to this database.',
    format('grant connect on database %I to %I;', d.datname, r.name)
  from admin.role as r
  cross join pg_catalog.pg_database as d
  where
    r.oid is not null
    and r.kind in ('login', 'group')
    and d.datname = current_database()
    and not has_database_privilege(r.oid, d.oid, 'connect')
  union all
  select
    format('membership of %s in %s', m.member, m.granted),
    format('%s must not be a member of any role, because it gets that role''s rights.', m.member),
    m.removal
  from admin.membership as m
  -- This role only lets a login use connections that are reserved.
  where m.is_member_ours and m.granted::text <> 'pg_use_reserved_connections'
  union all
  select
    format('membership of %s in %s', m.member, m.granted),
    case m.granted_kind
      when 'sealed' then 'Nobody may act as this role: only its own functions write or erase the audit log.'
      when 'owner' then 'Only the migrating login may act as this role, which owns objects.'
      else 'The member can act as this login.'
    end,
    m.removal
  from admin.membership as m
  where
    not m.is_member_ours
    -- The creator of a role keeps a membership with ADMIN OPTION alone, which can't be revoked.
    and (m.may_set or m.inherits)
    and (m.granted_kind in ('sealed', 'login') or (m.granted_kind = 'owner' and not m.is_migrating))
  union all
  select
    format('membership of %s in %s', m.member, m.granted),
    'The analyst may SET ROLE to the group. The limits of the analyst''s own login then no longer apply.',
    format('grant %s to %s with inherit true, set false granted by %s;', m.granted, m.member, m.grantor)
  from admin.membership as m
  where m.granted_kind = 'group' and m.has_options and m.may_set and not m.is_member_ours
  union all
  select
    'role ' || m.member,
    'The analyst is a superuser or has BYPASSRLS, so row-level security doesn''t apply.',
    format('/* as a superuser */ alter role %s nosuperuser nobypassrls;', m.member)
  from admin.membership as m
  where m.granted_kind = 'group' and m.bypasses_rls and not m.is_migrating
  union all
  -- From PostgreSQL 16 on, CREATEROLE isn't enough. The creator of a role has ADMIN OPTION on it, but
  -- pg_upgrade from 15 restores no creator, and neither does a dump of the roles.
  select
    format('membership of %I in %s', o.rolname, g.name),
    'The owner of the database, which migrates it, lacks ADMIN OPTION on the role.',
    format(
      '/* as a superuser */ grant %s to %I with admin true, inherit %s, set %3$s;',
      g.name, o.rolname, case when g.kind = 'owner' then 'true' else 'false' end
    )
  from pg_catalog.pg_database as d
  join pg_catalog.pg_roles as o on o.oid = d.datdba and o.rolcanlogin
  cross join (
    select r.oid, r.name, r.kind from admin.role as r where r.oid is not null
    union all
    select r.oid, quote_ident(r.rolname), 'analyst'
    from auth.analyst as a
    join pg_catalog.pg_roles as r on r.oid = a.role_oid and r.rolname = a.role_name
  ) as g
  where
    d.datname = current_database()
    and current_setting('server_version_num')::integer >= 160000
    and not pg_has_role(o.oid, g.oid, 'MEMBER WITH ADMIN OPTION');
end;

comment on function admin.role_findings() is 'Findings about the roles of auth.roles(), in the form of admin.findings().';
