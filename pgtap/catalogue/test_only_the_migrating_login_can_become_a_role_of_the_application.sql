begin;
select plan(9);

-- From PostgreSQL 16 on, the creator of a role has ADMIN OPTION. That alone doesn't allow SET ROLE.
create view test.member_too_many as
select format('%s in %s', m.member::regrole, m.roleid::regrole) as finding
from pg_auth_members as m
join pg_roles as member on member.oid = m.member
left join auth.roles() as r on r.name::regrole = m.roleid
cross join lateral (select to_jsonb(m) as options) as o
where
  (coalesce((o.options ->> 'set_option')::boolean, true) or coalesce((o.options ->> 'inherit_option')::boolean, true))
  and (
    -- The application's roles aren't members of other roles.
    (
      member.rolname in (select o.name from auth.roles() as o)
      -- This one only lets a login use reserved connections.
      and m.roleid::regrole::text <> 'pg_use_reserved_connections'
    )
    -- No role may be a member of these.
    or r.kind in ('sealed', 'login')
    -- A role with CREATEROLE could grant itself these roles anyway.
    or (r.kind = 'owner' and not member.rolcreaterole)
  );

create role somebody;
select is_kept('test.member_too_many');
select is_reported(
  'test.member_too_many', format('grant %s to %s', c.role, c.member), format('%s in %s', c.member, c.role)
)
from (values
  ('leads_exec', 'leads_api'), ('leads_owner', 'somebody'), ('leads_audit', 'somebody'), ('leads_audit', 'leads_owner'),
  ('leads_api', 'somebody'), ('pg_read_all_data', 'leads_api'), ('leads_operator', 'leads_worker'),
  ('leads_operator', 'leads_router')
) as c (role, member);

select * from finish();
rollback;
