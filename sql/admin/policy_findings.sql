-- admin.policy_findings - the findings about policies that aren't of a reviewed form.
set local role leads_jobs;

create or replace function admin.policy_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  with reviewed (role, command, expression) as (
    -- These roles only own functions that know no organization yet, or work for all of them.
    select r.name, null, 'true'
    from (values ('leads_auth'), ('leads_jobs'), ('leads_audit'), ('leads_eraser')) as r (name)
    union all
    select
      'leads_exec', s.command,
      format(
        '(organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE (%L::text = ANY (k.scopes))))', s.scope
      )
    -- Every scope may read.
    from (values ('read', 'r'), ('write', null), ('admin', null)) as s (scope, command)
    union all
    -- The token of a form. It sees its own form only, and changes nothing of it.
    select 'leads_intake', s.command, s.expression
    from (
      values
        (null, '(organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE (''form''::text = ANY (k.scopes))))'),
        (null, '((organization_id, key_id) = ( SELECT k.organization_id,
    k.id
   FROM auth.claimed_key k
  WHERE (''form''::text = ANY (k.scopes))))'),
        ('w', 'false')
    ) as s (command, expression)
    union all
    select
      'leads_bi', 'r', '(organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))'
  ),
  -- One row for each role and expression of a permissive policy. Restrictive ones permit nothing.
  permission as (
    select
      t.name as "table", p.polname as policy, p.polcmd as command, r.rolname as role, e.expression
    from admin.tenant_table as t
    join pg_catalog.pg_policy as p on p.polrelid = t.oid and p.polpermissive
    cross join lateral unnest(p.polroles) as g (id)
    left join pg_catalog.pg_roles as r on r.oid = g.id
    cross join lateral (
      select coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') as expression
      where p.polcmd <> 'a'
      union
      select coalesce(pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid), 'true')
      where p.polcmd not in ('r', 'd')
    ) as e
  )
  select
    format('policy %I on %s', p.policy, p."table"),
    case
      when p.role is null then 'The policy applies to every role.'
      when p.expression = 'true' then format('The policy gives %s the rows of all organizations.', p.role)
      else format('The policy isn''t of a reviewed form: %s', p.expression)
    end,
    format('drop policy %I on %s;', p.policy, p."table")
  from permission as p
  where
    not exists (
      select
      from reviewed as r
      where
        r.role = p.role
        and r.expression = p.expression
        and p.command::text = coalesce(r.command, p.command::text)
    );
end;

comment on function admin.policy_findings() is
$$Findings about permissive policies on tenant tables, in the form of admin.findings().

The remedy drops the policy; admin.findings() replaces it by the kept definition if there is one.$$;
