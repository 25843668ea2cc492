-- admin.membership - every membership of a role in another role, in this cluster.
set local role leads_jobs;

create or replace view admin.membership with (security_invoker = true) as
select
  m.member as member_id,
  m.member::regrole as member,
  l.rolname as login_name,
  m.roleid::regrole as granted,
  m.grantor::regrole as grantor,
  r.kind as granted_kind,
  exists (select from admin.role as o where o.oid = m.member) as is_member_ours,
  -- PostgreSQL 15 has neither column: there every member may SET ROLE and inherits.
  coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as may_set,
  coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) as inherits,
  to_jsonb(m) ? 'set_option' as has_options,
  l.rolcanlogin and (l.rolcreaterole or l.rolsuper) as is_migrating,
  l.rolsuper or l.rolbypassrls as bypasses_rls,
  format('revoke %s from %s granted by %s;', m.roleid::regrole, m.member::regrole, m.grantor::regrole) as removal
from pg_catalog.pg_auth_members as m
join pg_catalog.pg_roles as l on l.oid = m.member
left join admin.role as r on r.oid = m.roleid;

comment on view admin.membership is
$$The memberships of roles in roles.

granted_kind: the kind that auth.roles() gives the granted role; null for a role of another application. is_migrating: the
member can log in and create roles, as the migrating login does. removal: SQL that removes the membership.$$;
