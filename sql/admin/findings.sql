-- admin.findings - leads doctor: what is wrong with this database.
set local role leads_jobs;

create or replace function admin.findings(release integer default null)
returns table (subject text, finding text, remedy text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
begin atomic
  with our_role as (
    select
      e.name, e.kind, e.kind = 'login' as may_log_in,
      r.oid, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication
    from (values
      ('leads_owner', 'owner'), ('leads_auth', 'owner'), ('leads_exec', 'owner'), ('leads_jobs', 'owner'),
      ('leads_audit', 'sealed'), ('leads_eraser', 'sealed'), ('leads_bi', 'group'),
      ('leads_api', 'login'), ('leads_worker', 'login'), ('leads_operator', 'login')
    ) as e (name, kind)
    left join pg_catalog.pg_roles as r on r.rolname = e.name
  ),
  our_schema as (
    select n.oid, n.nspname as name, n.nspacl as acl
    from pg_catalog.pg_namespace as n
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi') or n.nspowner in (select r.oid from our_role as r)
  ),
  relation as (
    select
      c.oid, c.oid::regclass::text as name, c.relkind as kind, c.relacl as acl, c.reloptions as options,
      c.relrowsecurity as has_rls, c.relforcerowsecurity as forces_rls
    from pg_catalog.pg_class as c
    where c.relnamespace in (select s.oid from our_schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  ),
  tenant_table as (
    select r.*, a.attnum as tenant_column
    from relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attname = 'organization_id' and not a.attisdropped
    where r.kind in ('r', 'p')
  ),
  routine as (
    select
      p.oid::regprocedure as name, n.nspname as schema, s.oid is not null as is_ours, o.rolname as owner,
      r.oid is not null as is_owner_ours,
      p.prosecdef as is_definer, p.prosqlbody is not null as is_atomic, p.proconfig as settings,
      p.proleakproof as is_leakproof, coalesce(p.proacl, acldefault('f', p.proowner)) as acl
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    join pg_catalog.pg_roles as o on o.oid = p.proowner
    left join our_schema as s on s.oid = n.oid
    left join our_role as r on r.oid = o.oid and r.kind in ('owner', 'sealed')
    where s.oid is not null or r.oid is not null
  ),
  membership as (
    select
      m.member, m.roleid::regrole as granted, m.member::regrole as member_name, m.grantor::regrole as grantor, r.kind,
      l.rolname::text as login_name,
      exists (select from our_role as o where o.oid = m.member) as is_member_ours,
      -- PostgreSQL 15 has neither column: there a member inherits, and may SET ROLE.
      coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as may_set,
      coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) as inherits,
      to_jsonb(m) ? 'set_option' as has_options,
      format('revoke %s from %s granted by %s;', m.roleid::regrole, m.member::regrole, m.grantor::regrole) as removal,
      l.rolcanlogin and (l.rolcreaterole or l.rolsuper) as is_migrating
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as l on l.oid = m.member
    left join our_role as r on r.oid = m.roleid
  ),
  drift as (
    select d.* from admin.drift() as d where d.whole is null
  ),

  role_finding as (
    select
      'role ' || r.name as subject, 'The role is missing.' as finding,
      format('create role %I %s;', r.name, case when r.may_log_in then 'login' else 'nologin' end) as remedy
    from our_role as r
    where r.oid is null
    union all
    select
      'role ' || r.name,
      format('It has %s, which none of our roles needs.', a.name),
      format('/* as a superuser */ alter role %I no%s;', r.name, lower(a.name))
    from our_role as r
    cross join lateral (values
      ('SUPERUSER', r.rolsuper), ('BYPASSRLS', r.rolbypassrls), ('CREATEROLE', r.rolcreaterole),
      ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)
    ) as a (name, is_held)
    where a.is_held
    union all
    select
      'role ' || r.name,
      'It can log in, and owns what logins should only call.',
      format('alter role %I nologin;', r.name)
    from our_role as r
    where r.rolcanlogin and not r.may_log_in
    union all
    select 'role ' || r.name, 'It can''t log in.', format('alter role %I login;', r.name)
    from our_role as r
    where not r.rolcanlogin and r.may_log_in
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'None of our roles is a member of another role: it would have that role''s rights.',
      m.removal
    from membership as m
    where m.is_member_ours
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      case m.kind
        when 'sealed' then 'Nobody acts as this role: its functions alone write, or erase, what the audit log holds.'
        when 'owner' then 'Only the migrating login acts as this role, which owns our objects.'
        else 'The member can act as this login.'
      end,
      m.removal
    from membership as m
    where
      not m.is_member_ours
      -- Who made a role keeps ADMIN OPTION alone, and can't be rid of it.
      and (m.may_set or m.inherits)
      and (m.kind in ('sealed', 'login') or (m.kind = 'owner' and not m.is_migrating))
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'An analyst who may SET ROLE to the group sheds what is bound to the analyst''s own login.',
      format('grant leads_bi to %s with inherit true, set false granted by %s;', m.member_name, m.grantor)
    from membership as m
    where m.kind = 'group' and m.has_options and m.may_set and not m.is_member_ours
    union all
    select
      'role ' || m.member_name,
      'The analyst is a superuser or has BYPASSRLS: row-level security doesn''t bind the login.',
      format('/* as a superuser */ alter role %s nosuperuser nobypassrls;', m.member_name)
    from membership as m
    join pg_catalog.pg_roles as l on l.oid = m.member
    where m.kind = 'group' and (l.rolsuper or l.rolbypassrls) and not m.is_migrating
  ),

  row_security_finding as (
    select
      'table ' || t.name as subject, 'Row-level security is off: each caller sees all organizations.' as finding,
      format('alter table %s enable row level security;', t.name) as remedy
    from tenant_table as t
    where not t.has_rls
    union all
    select
      'table ' || t.name,
      'Row-level security isn''t forced: it doesn''t bind the table''s owner.',
      format('alter table %s force row level security;', t.name)
    from tenant_table as t
    where not t.forces_rls
    union all
    select
      'view ' || v.name,
      'It reads as its owner, whoever asks.',
      format('alter view %s set (security_invoker = true);', v.name)
    from relation as v
    where v.kind = 'v' and not coalesce(v.options @> array['security_invoker=true'], false)
    union all
    select
      format('%s %s', n.noun, r.name),
      'Row-level security can''t bind a relation of this kind.',
      format('drop %s %s;', n.noun, r.name)
    from relation as r
    join (values ('m'::"char", 'materialized view'), ('f', 'foreign table')) as n (kind, noun) on n.kind = r.kind
    union all
    select
      format('rule %I on %s', w.rulename, r.name),
      'A rule rewrites statements on the table, and may swallow them.',
      format('drop rule %I on %s;', w.rulename, r.name)
    from relation as r
    join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
    where r.kind <> 'v' and r.kind <> 'm' and w.rulename <> '_RETURN'
  ),

  -- What a policy lets pass, and to whom. A restrictive one lets nothing pass.
  passage as (
    select
      t.name as "table", p.polname as name, p.polcmd as command, r.rolname as role, e.expression,
      coalesce(d.remedy, format('drop policy %I on %s;', p.polname, t.name)) as remedy
    from tenant_table as t
    join pg_catalog.pg_policy as p on p.polrelid = t.oid and p.polpermissive
    cross join lateral unnest(p.polroles) as g (id)
    left join pg_catalog.pg_roles as r on r.oid = g.id
    cross join lateral (
      select distinct coalesce(x.expression, 'true') as expression
      from (values
        (pg_get_expr(p.polqual, p.polrelid), p.polcmd <> 'a'),
        (pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid), p.polcmd not in ('r', 'd'))
      ) as x (expression, is_used)
      where x.is_used
    ) as e
    left join drift as d on d.object = format('policy %I on %s', p.polname, t.name)
  ),
  policy_finding as (
    select
      format('policy %I on %s', p.name, p."table") as subject,
      case
        when p.role is null then 'It lets everybody pass.'
        when p.expression = 'true' then format('It lets %s reach the rows of all organizations.', p.role)
        else format('It isn''t of the reviewed form: %s', p.expression)
      end as finding,
      p.remedy
    from passage as p
    where
      p.role is null
      or not (
        -- The organization isn't known yet, or all are meant: each of these roles owns functions only.
        (p.expression = 'true' and p.role in ('leads_auth', 'leads_jobs', 'leads_audit', 'leads_eraser'))
        or (
          p.role = 'leads_bi'
          and p.command = 'r'
          and p.expression = '(organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))'
        )
        or (
          p.role = 'leads_exec'
          and p.expression in (
            -- To read, any scope will do.
            select format('(organization_id = ( SELECT auth.organization_id(%L::text) AS organization_id))', s.scope)
            from (values ('read'), ('write'), ('admin')) as s (scope)
            where s.scope <> 'read' or p.command = 'r'
          )
        )
      )
  ),

  -- Who reads schema bi, and what such a login must not be.
  analyst_finding as (
    select
      'role ' || m.member_name as subject,
      'It is bound to no organization, so it reads nothing.' as finding,
      format('revoke leads_bi from %s granted by %s;', m.member_name, m.grantor) as remedy
    from membership as m
    where
      m.kind = 'group'
      and (m.may_set or m.inherits)
      and not m.is_member_ours
      and not m.is_migrating
      and not exists (
        select from auth.analyst as a where a.role_oid = m.member and a.role_name::text = m.login_name
      )
    union all
    select
      'analyst ' || quote_ident(a.role_name),
      'The cluster has no such login, or another one of its name: a dump was restored, or the login was dropped.',
      format('Say: leads bi revoke %s; then, if it is still wanted, leads bi create', a.role_name)
    from auth.analyst as a
    where not exists (
      select from pg_catalog.pg_roles as r where r.oid = a.role_oid and r.rolname = a.role_name
    )
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'An analyst''s login is a member of leads_bi alone: it would have that role''s rights.',
      m.removal
    from membership as m
    join auth.analyst as a on a.role_oid = m.member
    where m.kind is distinct from 'group'
    union all
    select
      'role ' || quote_ident(r.rolname),
      format('It has %s, which no analyst needs.', x.name),
      format('alter role %I no%s;', r.rolname, lower(x.name))
    from auth.analyst as a
    join pg_catalog.pg_roles as r on r.oid = a.role_oid
    cross join lateral (values
      ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)
    ) as x (name, is_held)
    where x.is_held
    union all
    select
      'table ' || t.name,
      'Analysts read it, and no restrictive policy is the floor under those that let pass.',
      format(
        'create policy bi_all on %s as restrictive for all to leads_bi '
        'using ((select auth.analyst_organization_id()) = organization_id);',
        t.name
      )
    from tenant_table as t
    where
      exists (
        select
        from pg_catalog.pg_attribute as c
        cross join lateral aclexplode(c.attacl) as x
        join our_role as r on r.oid = x.grantee and r.kind = 'group'
        where c.attrelid = t.oid
        union all
        select
        from aclexplode(t.acl) as x
        join our_role as r on r.oid = x.grantee and r.kind = 'group'
      )
      and not exists (
        select
        from pg_catalog.pg_policy as p
        where
          p.polrelid = t.oid
          and not p.polpermissive
          and p.polcmd = '*'
          and p.polroles = array(select r.oid from our_role as r where r.kind = 'group')
          and pg_get_expr(p.polqual, p.polrelid)
            = '(( SELECT auth.analyst_organization_id() AS analyst_organization_id) = organization_id)'
      )
  ),

  -- Each tenant table's changes are recorded, but for what is no business of the log, and the log itself.
  expected_trigger as (
    select
      t.oid, t.name as "table", '_900_record'::name as trigger, false as is_always,
      -- tgtype's bits: row 1, before 2, insert 4, delete 8, update 16. A new score is recorded with its lead.
      case t.name when 'scoring.score' then 1 | 8 else 1 | 4 | 8 | 16 end as type,
      -- An erasure writes an event of its own.
      case
        when t.name in ('app.lead', 'scoring.signal', 'scoring.score', 'crm.sync')
        then '(CURRENT_USER <> ''leads_eraser''::name)'
      end as condition
    from tenant_table as t
    where t.name not in ('app.idempotency_key', 'crm.attempt', 'audit.event', 'audit.unsealed', 'audit.seal')
    union all
    select t.oid, t.name, g.trigger, g.is_always, null, null
    from (values
      ('app.lead', '_100_refuse_truncate', false),
      ('app.lead', '_110_check_first_score', false),
      ('app.lead', '_120_check_score', false),
      ('app.lead', '_600_keep_first_score', false),
      ('app.lead', '_610_keep_set_score', false),
      ('app.lead', '_910_push_first_stage', false),
      ('app.lead', '_920_push_stage', false),
      ('auth.api_key', '_100_refuse_truncate', false),
      ('crm.attempt', '_100_refuse_truncate', false),
      ('crm.attempt', '_110_keep_outcome', false),
      ('crm.connection', '_100_refuse_truncate', false),
      ('crm.sync', '_100_refuse_truncate', false),
      ('crm.sync', '_110_keep_identity', false),
      ('crm.sync', '_120_keep_outcome', false),
      ('crm.sync', '_130_count_up', false),
      ('crm.sync', '_140_lease_by_attempt', false),
      ('scoring.model', '_100_refuse_truncate', false),
      ('scoring.model', '_130_keep_active', false),
      ('scoring.model', '_140_keep_history', false),
      ('scoring.score', '_100_refuse_truncate', false),
      ('scoring.score', '_110_refuse_change', false),
      ('scoring.score', '_120_check', false),
      ('scoring.score', '_500_apply', false),
      ('scoring.signal', '_100_refuse_truncate', false),
      ('audit.event', '_100_refuse_change', true),
      ('audit.event', '_105_refuse_delete', true),
      ('audit.event', '_110_refuse_truncate', true),
      ('audit.event', '_120_check_erasure', true),
      ('audit.seal', '_100_refuse_change', true),
      ('audit.seal', '_110_refuse_truncate', true),
      ('audit.unsealed', '_100_refuse_truncate', false)
    ) as g ("table", trigger, is_always)
    join tenant_table as t on t.name = g."table"
  ),
  trigger_finding as (
    select
      format('trigger %I on %s', e.trigger, e."table") as subject,
      case e.trigger
        when '_900_record' then 'The trigger is missing: changes leave no trace in the audit log.'
        else 'The guard is missing: what must not be changed can be.'
      end as finding,
      coalesce(d.remedy, 'Write it like its neighbours in sql/, in a new migration, and say: leads migrate') as remedy
    from expected_trigger as e
    left join drift as d on d.object = format('trigger %I on %s', e.trigger, e."table")
    where not exists (select from pg_catalog.pg_trigger as t where t.tgrelid = e.oid and t.tgname = e.trigger)
    union all
    select
      format('trigger %I on %s', e.trigger, e."table"),
      'The trigger doesn''t fire after each change: some changes leave no trace in the audit log.',
      coalesce(d.remedy, 'Write it like its neighbours in sql/, in a new migration, and say: leads migrate')
    from expected_trigger as e
    join pg_catalog.pg_trigger as t on t.tgrelid = e.oid and t.tgname = e.trigger
    join pg_catalog.pg_proc as f on f.oid = t.tgfoid
    left join drift as d on d.object = format('trigger %I on %s', e.trigger, e."table")
    where
      e.trigger = '_900_record'
      and (
        t.tgtype & 31 <> e.type
        or e.condition is distinct from substring(pg_get_triggerdef(t.oid), ' WHEN \((.*)\) EXECUTE FUNCTION ')
        or t.tgattr::text <> ''
        or f.pronamespace <> 'audit'::regnamespace
      )
    union all
    select
      format('trigger %I on %s', t.tgname, r.name),
      case
        when t.tgenabled = 'D' then 'The trigger is disabled.'
        when t.tgenabled = 'R' then 'The trigger fires for replicated changes only.'
        else 'The guard doesn''t fire where session_replication_role says replica.'
      end,
      format(
        'alter table %s enable %strigger %I;', r.name, case when e.is_always then 'always ' end, t.tgname
      )
    from relation as r
    join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
    left join expected_trigger as e on e.oid = r.oid and e.trigger = t.tgname
    where t.tgenabled in ('D', 'R') or (e.is_always and t.tgenabled <> 'A')
  ),

  -- Else EXPLAIN tells one tenant what another has. By name: what is read before the organization is known.
  key as (
    select
      'index' as noun, i.indexrelid::regclass as index, t.name as "table", null::name as name,
      format('index %s on %s', i.indexrelid::regclass, t.name) as subject,
      'The index isn''t led by organization_id: EXPLAIN shows one tenant what another has.' as finding
    from tenant_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    where
      i.indkey[0] <> t.tenant_column
      and not exists (select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.conrelid = t.oid)
    union all
    select
      'constraint', null, t.name, c.conname, format('constraint %I on %s', c.conname, t.name),
      case c.contype
        when 'f' then 'The foreign key isn''t led by organization_id: it can refer to another tenant''s row.'
        else 'The key isn''t led by organization_id: EXPLAIN shows one tenant what another has.'
      end
    from tenant_table as t
    join pg_catalog.pg_constraint as c on c.conrelid = t.oid
    left join pg_catalog.pg_index as i on i.indexrelid = c.conindid
    where
      t.tenant_column <> case when c.contype = 'f' then c.conkey[1] when c.contype in ('p', 'u', 'x') then i.indkey[0] end
      and c.conname not in ('api_key_digest_is_unique', 'analyst_role_oid_is_unique')
  ),
  index_finding as (
    select
      k.subject,
      k.finding,
      coalesce(
        d.remedy,
        case k.noun
          when 'index' then format('drop index %s;', k.index)
          else format('alter table %s drop constraint %I;', k."table", k.name)
        end
      ) as remedy
    from key as k
    left join drift as d on d.object = k.subject
    union all
    select
      format('index %s on %s', i.indexrelid::regclass, r.name),
      'The index is invalid: CREATE INDEX CONCURRENTLY broke off, and no query uses it.',
      format('reindex index %s;', i.indexrelid::regclass)
    from relation as r
    join pg_catalog.pg_index as i on i.indrelid = r.oid
    where not i.indisvalid
    union all
    select
      format('column %s.%I', t.name, a.attname),
      'ANALYZE keeps statistics of the column: EXPLAIN shows one tenant what another has.',
      format('alter table %s alter column %I set statistics 0;', t.name, a.attname)
    from tenant_table as t
    join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    where coalesce(a.attstattarget, -1) <> 0
    union all
    select
      format('index %s on %s', i.indexrelid::regclass, t.name),
      'ANALYZE keeps statistics of an expression in the index: EXPLAIN shows one tenant what another has.',
      format('alter index %s alter column %s set statistics 0;', i.indexrelid::regclass, a.attnum)
    from tenant_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    join pg_catalog.pg_attribute as a on a.attrelid = i.indexrelid
    where i.indkey[a.attnum - 1] = 0 and coalesce(a.attstattarget, -1) <> 0
    union all
    select
      format('statistics %I.%I', n.nspname, s.stxname),
      'ANALYZE keeps statistics of several columns: EXPLAIN shows one tenant what another has.',
      format('drop statistics %I.%I;', n.nspname, s.stxname)
    from tenant_table as t
    join pg_catalog.pg_statistic_ext as s on s.stxrelid = t.oid
    join pg_catalog.pg_namespace as n on n.oid = s.stxnamespace
  ),

  -- Whose rights a SECURITY DEFINER function may have, by schema; the first is the usual one.
  definer as (
    select d.schema, array_agg(d.owner order by d.rank) as owners
    from (values
      ('api', 'leads_exec', 1), ('auth', 'leads_auth', 1), ('audit', 'leads_audit', 1), ('audit', 'leads_eraser', 2),
      ('admin', 'leads_jobs', 1), ('admin', 'leads_owner', 2), ('crm', 'leads_jobs', 1)
    ) as d (schema, owner, rank)
    group by d.schema
  ),
  function_finding as (
    select
      'function ' || f.name as subject,
      'A caller''s search_path, or temporary objects, decide what the names in it mean.' as finding,
      format('alter routine %s set search_path = pg_catalog, pg_temp;', f.name) as remedy
    from routine as f
    where f.is_ours and not f.is_atomic and not coalesce(f.settings @> array['search_path=pg_catalog, pg_temp'], false)
    union all
    select
      format('grant execute on routine %s to public', f.name),
      'Everybody may execute it.',
      format('revoke execute on routine %s from public;', f.name)
    from routine as f
    where
      f.is_ours
      -- By name: the shim's question whether its own login may serve.
      and f.name::text <> 'api.session_faults()'
      and exists (select from aclexplode(f.acl) as x where x.grantee = 0)
    union all
    select
      'function ' || f.name,
      format('It belongs to %s.', f.owner),
      format('alter routine %s owner to %I;', f.name, coalesce(d.owners[1], 'leads_owner'))
    from routine as f
    left join definer as d on d.schema = f.schema
    where f.is_ours and (not f.is_owner_ours or (f.is_definer and not f.owner = any (d.owners)))
    union all
    select
      'function ' || f.name,
      format('It is SECURITY DEFINER, and has the rights of %s; in this schema none needs another''s.', f.owner),
      format('alter routine %s security invoker;', f.name)
    from routine as f
    where f.is_ours and f.is_definer and f.schema not in (select d.schema from definer as d)
    union all
    select
      format('%s %s', k.noun, c.oid::regclass),
      format('It has the rights of %s, and stands outside our schemas.', c.relowner::regrole),
      format('drop %s %s;', k.noun, c.oid::regclass)
    from pg_catalog.pg_class as c
    join our_role as r on r.oid = c.relowner
    join (values ('r'::"char", 'table'), ('p', 'table'), ('v', 'view'), ('m', 'materialized view')) as k (kind, noun)
      on k.kind = c.relkind
    where c.relnamespace not in (select s.oid from our_schema as s)
    union all
    select
      'function ' || f.name,
      format('It has the rights of %s, and stands outside our schemas.', f.owner),
      format('drop routine %s;', f.name)
    from routine as f
    where f.is_owner_ours and not f.is_ours
    union all
    select
      'function ' || f.name,
      'It counts as leakproof: the planner may show it rows that a policy hides.',
      format('/* as a superuser */ alter function %s not leakproof;', f.name)
    from routine as f
    where f.is_ours and f.is_leakproof
    union all
    select
      format('default privileges of %s on functions', r.name),
      'Everybody may execute each function that the role makes.',
      format('alter default privileges for role %I revoke execute on functions from public;', r.name)
    from our_role as r
    left join pg_catalog.pg_default_acl as d on d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
    where
      r.kind in ('owner', 'sealed')
      and r.oid is not null
      and exists (select from aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) as x where x.grantee = 0)
  ),

  held as (
    select
      case r.kind when 'S' then 'sequence ' else 'table ' end || r.name as target, false as is_schema,
      lower(x.privilege_type) as privilege, x.grantee
    from relation as r
    cross join lateral aclexplode(r.acl) as x
    union all
    select 'table ' || r.name, false, format('%s (%I)', lower(x.privilege_type), a.attname), x.grantee
    from relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid
    cross join lateral aclexplode(a.attacl) as x
    union all
    select format('schema %I', s.name), true, lower(x.privilege_type), x.grantee
    from our_schema as s
    cross join lateral aclexplode(s.acl) as x
  ),
  grant_finding as (
    select
      format('grant %s on %s to %s', h.privilege, h.target, r.name) as subject,
      case
        when h.is_schema then 'It can make objects, and so stand in for ours.'
        else 'The login reaches tables by functions alone.'
      end as finding,
      format('revoke %s on %s from %I;', h.privilege, h.target, r.name) as remedy
    from held as h
    join our_role as r on r.oid = h.grantee
    where
      case
        when h.is_schema then h.privilege = 'create' and r.kind in ('login', 'group')
        else r.kind = 'login'
      end
    union all
    select
      format('grant %s on %s to public', h.privilege, h.target),
      'Everybody has it.',
      format('revoke %s on %s from public;', h.privilege, h.target)
    from held as h
    where h.grantee = 0
    union all
    select
      format('grant %s on database to %s', lower(x.privilege_type), coalesce(r.name, 'public')),
      case x.privilege_type
        when 'CREATE' then 'It can make schemas, and so stand in for functions of others.'
        else 'It can make temporary objects, which stand in for others where a search_path is open.'
      end,
      case
        when r.name is null and x.privilege_type = 'TEMPORARY'
        then 'As a superuser, in this database: psql -f app/superuser.sql'
        else format('revoke %s on database %I from %s;', lower(x.privilege_type), d.datname, coalesce(r.name, 'public'))
      end
    from pg_catalog.pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as x
    left join our_role as r on r.oid = x.grantee
    where
      d.datname = current_database()
      and x.privilege_type in ('CREATE', 'TEMPORARY')
      and (x.grantee = 0 or r.kind in ('login', 'group'))
    union all
    select
      format('grant %s on schema public to public', lower(x.privilege_type)),
      'The schema public stays empty, and nobody''s.',
      'As a superuser, in this database: psql -f app/superuser.sql'
    from pg_catalog.pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as x
    where n.nspname = 'public' and x.grantee = 0
    union all
    select
      format('grant execute on function %s to public', f.oid::regprocedure),
      'Everybody can keep data in large objects, which belong to no organization and have no policy.',
      'As a superuser, in this database: psql -f app/superuser.sql'
    from pg_catalog.pg_proc as f
    cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as x
    where
      f.pronamespace = 'pg_catalog'::regnamespace
      and f.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export')
      and x.grantee = 0
    union all
    select
      format('grant %s on parameter %s to %s', lower(x.privilege_type), p.parname, coalesce(r.name, 'public')),
      'It can change a setting that is a superuser''s.',
      format(
        '/* as a superuser */ revoke %s on parameter %s from %s;',
        lower(x.privilege_type), p.parname, coalesce(quote_ident(r.name), 'public')
      )
    from pg_catalog.pg_parameter_acl as p
    cross join lateral aclexplode(p.paracl) as x
    left join our_role as r on r.oid = x.grantee
    where x.grantee = 0 or r.oid is not null
  ),

  -- A worker seals each second.
  seal_finding as (
    select
      'organization ' || o.organization_id as subject,
      format(
        '%s events wait for their seal, the oldest since %s: until then nobody can tell whether they were changed.',
        q.events, app.utc_text(q.since)
      ) as finding,
      'Start a worker (leads worker), or say once: leads audit seal' as remedy
    from app.organization as o
    cross join lateral (
      select count(*) as events, min(e.created_at) as since
      from audit.unsealed as u
      join audit.event as e on e.organization_id = u.organization_id and e.id = u.event_id
      where u.organization_id = o.organization_id
    ) as q
    where q.since < now() - interval '1 minute'
    union all
    select
      'organization ' || u.organization_id,
      format('The event %s was removed from the log before it was sealed.', u.event_id),
      format('Say: leads audit verify --organization %s; and find out who did it.', u.organization_id)
    from audit.unsealed as u
    where not exists (select from audit.event as e where e.organization_id = u.organization_id and e.id = u.event_id)
  ),

  setting_finding as (
    select
      'setting ' || w.name as subject,
      case w.harm
        when 'loss' then 'A power cut can destroy the database.'
        when 'decay' then 'What a disk has spoilt isn''t noticed.'
        when 'parameters' then 'The server''s log can show parameters, which are credentials and personal data.'
        when 'rows' then 'The server''s log can show personal data: the DETAIL of an error holds the row.'
      end as finding,
      case w.harm
        when 'decay' then 'Stop the server, and say: pg_checksums --enable -D DATA_FOLDER'
        else format('As a superuser: alter system set %s = %L; then: select pg_reload_conf();', w.name, w.good)
      end as remedy
    from (values
      ('fsync', 'on', 'loss'),
      ('full_page_writes', 'on', 'loss'),
      ('data_checksums', 'on', 'decay'),
      ('log_error_verbosity', 'terse', 'rows'),
      ('log_parameter_max_length', '0', 'parameters'),
      ('log_parameter_max_length_on_error', '0', 'parameters'),
      -- Of libraries that the server may load.
      ('auto_explain.log_parameter_max_length', '0', 'parameters'),
      ('pgaudit.log_parameter', 'off', 'parameters')
    ) as w (name, good, harm)
    join pg_catalog.pg_settings as s on s.name = w.name
    where s.setting <> w.good
    union all
    select
      'setting synchronous_commit', 'A power cut can lose what was acknowledged.',
      'As a superuser: alter system set synchronous_commit = ''on''; then: select pg_reload_conf();'
    from pg_catalog.pg_settings as s
    where s.name = 'synchronous_commit' and s.setting = 'off' and s.source in ('configuration file', 'command line')
    union all
    select
      format(
        'setting %s of %s', c.name, coalesce(r.name, case s.setdatabase when 0 then 'all roles' else 'the database' end)
      ),
      case
        when c.name like 'leads.%' then 'Each session of the login would begin with a claim.'
        when c.name = 'synchronous_commit' then 'A power cut can lose what was acknowledged.'
        when c.name like 'log\_%' then 'The server''s log can show credentials and personal data.'
        else 'It changes what our functions mean, or who is asking.'
      end,
      format(
        'alter %s reset %s;',
        case
          when r.oid is null and s.setdatabase = 0 then 'role all'
          when r.oid is null then format('database %I', current_database())
          when s.setdatabase = 0 then format('role %I', r.name)
          else format('role %I in database %I', r.name, current_database())
        end,
        c.name
      )
    from pg_catalog.pg_db_role_setting as s
    left join our_role as r on r.oid = s.setrole
    cross join lateral (
      select lower(split_part(u.line, '=', 1)) as name, substr(u.line, strpos(u.line, '=') + 1) as value
      from unnest(s.setconfig) as u (line)
    ) as c
    where
      s.setdatabase in (0, (select d.oid from pg_catalog.pg_database as d where d.datname = current_database()))
      and (s.setrole = 0 or r.oid is not null)
      and (
        -- One of our logins may set anything that it may set at all, and so break each later session of its own.
        r.oid is not null
        or c.name in ('search_path', 'row_security', 'session_replication_role', 'role', 'session_authorization')
        or c.name in ('local_preload_libraries', 'session_preload_libraries')
        or c.name like 'leads.%'
        or (c.name = 'synchronous_commit' and c.value = 'off')
        or (c.name in ('log_parameter_max_length', 'log_parameter_max_length_on_error') and c.value <> '0')
        or (c.name = 'log_error_verbosity' and c.value <> 'terse')
      )
  ),

  found as (
    select * from role_finding
    union all select * from row_security_finding
    union all select * from policy_finding
    union all select * from analyst_finding
    union all select * from trigger_finding
    union all select * from index_finding
    union all select * from function_finding
    union all select * from grant_finding
    union all select * from seal_finding
    union all select * from admin.api_findings(findings.release)
    union all select * from setting_finding
  )
  select f.subject, f.finding, f.remedy from found as f
  union all
  -- What a rule has named already isn't named again.
  select
    d.object,
    case
      when d.object = 'catalogue' and d.change = 'new' then 'None is kept: what somebody has changed can''t be told.'
      when d.object = 'catalogue' then 'Another PostgreSQL kept it: what somebody has changed can''t be told.'
      when d.change = 'new' then 'No migration has made it.'
      when d.change = 'missing' then 'It is missing: no migration has taken it away.'
      else 'It isn''t what the migrations have made.'
    end,
    d.remedy
  from drift as d
  where not exists (select from found as f where f.subject = d.object);
end;

comment on function admin.findings(integer) is
$$What is wrong with this database: a row for each finding, with SQL that mends it (ending with a semicolon), or words.

release: the number of the newest migration that the asking program has; null: versions aren't compared. What it can't
see, for want of a superuser's rights: pg_hba.conf, passwords, what libraries the server loads, kept statistics.$$;

grant execute on function admin.findings(integer) to leads_operator;
