-- admin.analyst_findings - the findings about analysts' logins and the tables that they read.
set local role leads_jobs;

create or replace function admin.analyst_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    'role ' || m.member,
    'The analyst''s login has no organization, so it reads nothing.',
    m.removal
  from admin.membership as m
  join pg_catalog.pg_roles as r on r.oid = m.member_id and r.rolcanlogin
  where
    m.granted_kind = 'group'
    and (m.may_set or m.inherits)
    and not m.is_member_ours
    and not m.is_migrating
    -- A binding to an earlier login of this name is the finding of the analyst, below.
    and not exists (select from auth.analyst as a where a.role_name::text = m.login_name::text)
  union all
  select
    'role ' || m.member,
    'The analyst''s login was revoked, and isn''t dropped yet.',
    'leads bi revoke ' || m.login_name
  from admin.membership as m
  join pg_catalog.pg_roles as r on r.oid = m.member_id and not r.rolcanlogin
  where m.granted_kind = 'group' and not m.is_member_ours
  union all
  select
    'analyst ' || quote_ident(a.role_name),
    'The cluster has no such login, or a new login with the same name: the login was dropped, or a dump was restored.',
    format('leads bi revoke %s (then, if the analyst still needs it, leads bi create)', a.role_name)
  from auth.analyst as a
  where not exists (
    select from pg_catalog.pg_roles as r where r.oid = a.role_oid and r.rolname = a.role_name
  )
  union all
  select
    'analyst ' || quote_ident(a.role_name),
    'The login isn''t a member of leads_bi, so it reads nothing.',
    format(
      'grant %I to %I%s;',
      g.name, r.rolname,
      case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set false' end
    )
  from auth.analyst as a
  join pg_catalog.pg_roles as r on r.oid = a.role_oid and r.rolname = a.role_name
  join admin.role as g on g.kind = 'group'
  where not exists (select from admin.membership as m where m.member_id = r.oid and m.granted_kind = 'group')
  union all
  select
    format('membership of %s in %s', m.member, m.granted),
    'An analyst''s login must not be a member of any role but leads_bi, because it gets that role''s rights.',
    m.removal
  from admin.membership as m
  join auth.analyst as a on a.role_oid = m.member_id
  where m.granted_kind is distinct from 'group'
  union all
  select
    'role ' || quote_ident(r.rolname),
    format('The analyst''s login has the attribute %s, which it doesn''t need.', x.name),
    format('alter role %I no%s;', r.rolname, lower(x.name))
  from auth.analyst as a
  join pg_catalog.pg_roles as r on r.oid = a.role_oid
  cross join lateral (values
    ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)
  ) as x (name, is_held)
  where x.is_held
  union all
  select
    'role ' || r.name,
    'The login may not use the server''s reserved connections, so analysts can leave none for it.',
    format('/* as a superuser */ grant pg_use_reserved_connections to %I;', r.name)
  from admin.role as r
  cross join pg_catalog.pg_settings as s
  where
    r.kind = 'login'
    and s.name = 'reserved_connections'
    and s.setting <> '0'
    and not exists (
      select from admin.membership as m
      where m.member_id = r.oid and m.granted::text = 'pg_use_reserved_connections'
    )
  union all
  select
    'connections of analysts',
    format(
      'Analysts may open %s connections together, and the server has %s: they can leave none for the API.',
      a.connections, s.max_connections
    ),
    'Reserve connections (PostgreSQL 16 and later): as a superuser, run alter system set reserved_connections = 30, and '
    'restart the server. Or allow fewer: leads bi alter LOGIN --connections N'
  from (
    select
      current_setting('max_connections')::integer as max_connections,
      coalesce(current_setting('reserved_connections', true), '0')::integer as reserved_connections
  ) as s
  cross join lateral (
    select sum(case r.rolconnlimit when -1 then s.max_connections else r.rolconnlimit end) as connections
    from admin.membership as m
    join pg_catalog.pg_roles as r on r.oid = m.member_id and r.rolcanlogin
    where m.granted_kind = 'group' and not m.is_member_ours and not m.is_migrating
  ) as a
  where s.reserved_connections = 0 and a.connections > s.max_connections - 30
  union all
  select
    format('session %s of %I', s.pid, s.usename),
    case
      when s.backend_xid is not null then
        'The analyst''s open transaction has a transaction id. It can hold locks on rows of the catalogue, for which '
        'VACUUM, leads migrate and leads bi wait.'
      else format(
        'The analyst''s transaction is open since %s transactions ago. VACUUM keeps each row that was deleted since then.',
        age(s.backend_xmin)
      )
    end,
    'To end the login''s sessions and give it a new password, run: leads bi rotate ' || s.usename
  from pg_catalog.pg_stat_activity as s
  where
    -- PostgreSQL shows this login neither the transaction's time nor its query.
    (s.backend_xid is not null or age(s.backend_xmin) > 1000000)
    and exists (
      select from admin.membership as m
      where m.member_id = s.usesysid and m.granted_kind = 'group' and not m.is_member_ours and not m.is_migrating
    )
  union all
  select
    format('session %s of %I', s.pid, s.usename),
    format(
      'A transaction on a replica is open since %s transactions ago. VACUUM keeps each row that was deleted since then.',
      age(s.backend_xmin)
    ),
    'On the replica, as a superuser, run: select pid, usename, xact_start from pg_stat_activity where backend_xmin is not null '
    'order by xact_start; and end the session with pg_terminate_backend(pid). With hot_standby_feedback = off, the replica '
    'cancels such a query instead'
  from pg_catalog.pg_stat_activity as s
  where
    -- A session that sends the write-ahead log has no database.
    s.datid is null
    and s.usesysid is not null
    and age(s.backend_xmin) > 1000000
  union all
  select
    'table ' || t.name,
    'Analysts may read the table, and no restrictive policy limits them to their organization.',
    format(
      'create policy %I on %s as restrictive for all to %I '
      'using ((select auth.analyst_organization_id()) = organization_id);',
      c.relname || '_bi_all', t.name, g.name
    )
  from admin.tenant_table as t
  join pg_catalog.pg_class as c on c.oid = t.oid
  join admin.role as g on g.kind = 'group'
  where
    exists (
      select from aclexplode(t.acl) as x where x.grantee = g.oid
      union all
      select
      from pg_catalog.pg_attribute as a
      cross join lateral aclexplode(a.attacl) as x
      where a.attrelid = t.oid and x.grantee = g.oid
    )
    and not exists (
      select
      from pg_catalog.pg_policy as p
      where
        p.polrelid = t.oid
        and not p.polpermissive
        and p.polcmd = '*'
        and p.polroles = array[g.oid]
        and pg_get_expr(p.polqual, p.polrelid)
          = '(( SELECT auth.analyst_organization_id() AS analyst_organization_id) = organization_id)'
    );
end;

comment on function admin.analyst_findings() is
  'Findings about the logins of auth.analyst and the tables that leads_bi reads, in the form of admin.findings().';
