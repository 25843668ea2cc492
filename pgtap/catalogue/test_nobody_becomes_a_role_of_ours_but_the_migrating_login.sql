begin;
select plan(8);

-- From PostgreSQL 16 on, whoever made a role administers it; that alone lets nobody act as it.
create view test.member_too_many as
select format('%s in %s', m.member::regrole, m.roleid::regrole) as finding
from pg_auth_members as m
join pg_roles as r on r.oid = m.roleid
join pg_roles as member on member.oid = m.member
cross join lateral (select to_jsonb(m) as options) as o
where
  (coalesce((o.options ->> 'set_option')::boolean, true) or coalesce((o.options ->> 'inherit_option')::boolean, true))
  and (
    -- none of ours is a member of any
    member.rolname ~ '^leads_(owner|auth|exec|jobs|audit|eraser|bi|api|worker|operator)$'
    -- nobody is the log's writer, its eraser, or one of the logins
    or r.rolname in ('leads_audit', 'leads_eraser', 'leads_api', 'leads_worker', 'leads_operator')
    -- who may create roles could grant himself these anyway
    or (r.rolname in ('leads_owner', 'leads_auth', 'leads_exec', 'leads_jobs') and not member.rolcreaterole)
  );

create role somebody;
select is_kept('test.member_too_many');
select is_reported(
  'test.member_too_many', format('grant %s to %s', c.role, c.member), format('%s in %s', c.member, c.role)
)
from (values
  ('leads_exec', 'leads_api'), ('leads_owner', 'somebody'), ('leads_audit', 'somebody'), ('leads_audit', 'leads_owner'),
  ('leads_api', 'somebody'), ('pg_read_all_data', 'leads_api'), ('leads_operator', 'leads_worker')
) as c (role, member);

select * from finish();
rollback;
