-- admin.drop_analyst - the third step of leads bi revoke: ends the login's sessions and drops it.
set local role leads_jobs;

create or replace function admin.drop_analyst(login text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp set lock_timeout = '2s'
as $$
declare
  v_is_bound boolean := exists (select from admin.analysts() as a where a.login = drop_analyst.login);
  -- A login that can do more than read isn't an analyst's login (admin.disable_analyst).
  v_is_analysts boolean := exists (
    select
    from pg_catalog.pg_roles as r
    join pg_catalog.pg_auth_members as m on m.member = r.oid and m.roleid = 'leads_bi'::regrole
    where r.rolname = drop_analyst.login and not r.rolsuper and not r.rolcreaterole
  );
  v_can_login boolean := (select r.rolcanlogin from pg_catalog.pg_roles as r where r.rolname = drop_analyst.login);
  v_objects text;
begin
  if v_can_login is null then
    return;
  end if;
  if v_is_bound or v_can_login or not v_is_analysts then
    raise sqlstate 'PT409' using message = 'analyst_not_revoked', hint = format(
      case
        when v_is_bound or v_is_analysts then '"%1$s" isn''t a revoked login. Run: leads bi revoke %1$s'
        else
          '"%1$s" reads no row any more, but it isn''t dropped: it isn''t a member of leads_bi, or may create roles, so '
          'it may be more than an analyst''s login. If it isn''t, run as a superuser: '
          'drop owned by %1$I; drop role %1$I;'
      end,
      drop_analyst.login
    );
  end if;
  select string_agg(
    case
      when d.dbid in (0, b.oid) then pg_describe_object(d.classid, d.objid, d.objsubid)
      else format('something in the database "%s"', (select o.datname from pg_catalog.pg_database as o where o.oid = d.dbid))
    end,
    ', '
  ) into v_objects
  from pg_catalog.pg_shdepend as d
  join pg_catalog.pg_database as b on b.datname = current_database()
  where
    d.refclassid = 'pg_authid'::regclass
    and d.refobjid = (select r.oid from pg_catalog.pg_roles as r where r.rolname = drop_analyst.login)
    -- DROP OWNED below removes privileges and default privileges, but only here.
    and (d.dbid not in (0, b.oid) or (d.deptype = 'o' and d.classid <> 'pg_default_acl'::regclass));
  if v_objects is not null then
    raise sqlstate 'PT409' using message = 'analyst_owns_objects', hint = format(
      'The login "%1$s" can''t log in any more, but it isn''t dropped, because it has: %2$s. In that database, run '
      '"reassign owned by %1$I to ROLE; drop owned by %1$I;" as a superuser. Then run again: leads bi revoke %1$s',
      drop_analyst.login, v_objects
    );
  end if;
  -- The creator of a role only has ADMIN OPTION. To end its sessions takes the role's privileges.
  execute format('grant %I to %I', drop_analyst.login, current_user);
  perform pg_terminate_backend(a.pid, 5000)
  from pg_catalog.pg_stat_activity as a
  where a.usename = drop_analyst.login;
  -- Every login may alter its own default privileges, and DROP ROLE fails while there are any.
  execute format('drop owned by %I', drop_analyst.login);
  execute format('drop role %I', drop_analyst.login);
end $$;

comment on function admin.drop_analyst(text) is
$$Ends the sessions of a revoked analyst's login, and drops the login if it exists. Only the migrating login can execute it.

It waits up to 5 seconds for each session. It also drops the login's privileges and default privileges in this database. Raises
PT409 analyst_not_revoked, and PT409 analyst_owns_objects if the login owns anything else, or has anything in another database.$$;
