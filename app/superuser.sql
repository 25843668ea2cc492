-- superuser.sql - what only a superuser may change in a database, and a copy made from a template
-- lacks. May be run again. It changes only what isn't as wanted yet: any login can lock a row of the
-- catalogue, such as the database's with GRANT CONNECT in an open transaction.

-- Otherwise functions of the database's owner, who chooses the default, could run as the superuser.
set search_path = pg_catalog, pg_temp;

do $$
declare
  v_owner name := (select d.datdba::regrole from pg_catalog.pg_database as d where d.datname = current_database());
  v_function regprocedure;
  v_login name;
  v_parameter text;
  v_name text;
begin
  perform set_config('lock_timeout', '5s', true);
  if exists (
    select
    from pg_catalog.pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as granted
    where d.datname = current_database() and granted.grantee = 0 and granted.privilege_type = 'TEMPORARY'
  ) then
    execute format('revoke temporary on database %I from public', current_database());
  end if;
  if exists (
    select
    from pg_catalog.pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as granted
    where n.nspname = 'public' and granted.grantee = 0
  ) then
    revoke all on schema public from public;
  end if;

  for v_function in
    select p.oid::regprocedure
    from pg_catalog.pg_proc as p
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as granted
    where
      p.pronamespace = 'pg_catalog'::regnamespace
      and (
        -- A large object belongs to no organization, and no policy reaches it: nobody makes one.
        p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export')
        -- These fill what all sessions share: the table of locks, a folder of the server, and the
        -- write-ahead log.
        or p.proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
        or p.proname = 'pg_export_snapshot'
        -- These take transaction ids. PostgreSQL has about 2,100 million of them before it must freeze rows.
        or p.proname in ('pg_current_xact_id', 'txid_current')
        -- Version 17 gave it another parameter. A dump of an older server would revoke a function
        -- that doesn't exist there.
        or (p.proname = 'pg_logical_emit_message' and current_setting('server_version_num')::integer >= 170000)
      )
      and granted.grantee = 0
  loop
    execute format('revoke execute on function %s from public', v_function);
  end loop;

  -- These show how much all sessions write. Monitoring keeps them.
  for v_function in
    select p.oid::regprocedure
    from pg_catalog.pg_proc as p
    where
      p.pronamespace = 'pg_catalog'::regnamespace
      and p.proname in (
        'pg_current_wal_lsn', 'pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn', 'pg_control_checkpoint',
        'pg_stat_get_io', 'pg_stat_get_wal', 'pg_stat_get_backend_io', 'pg_stat_get_backend_wal',
        -- With replicas, an archive or a move between cells:
        'pg_get_replication_slots', 'pg_stat_get_replication_slot', 'pg_stat_get_subscription', 'pg_stat_get_archiver',
        -- On a replica:
        'pg_last_wal_receive_lsn', 'pg_last_wal_replay_lsn', 'pg_control_recovery', 'pg_last_xact_replay_timestamp',
        'pg_stat_get_recovery_prefetch'
      )
      and (
        exists (
          select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as granted where granted.grantee = 0
        )
        or not has_function_privilege('pg_read_all_stats', p.oid, 'execute')
      )
  loop
    execute format('revoke execute on function %s from public', v_function);
    execute format('grant execute on function %s to pg_read_all_stats', v_function);
  end loop;

  -- A publication is created for the move of an organization between cells. A migration grants it, too.
  if exists (
    select
    from pg_catalog.pg_roles as r
    where
      r.rolname = 'leads_owner'
      and not has_database_privilege(r.oid, (select d.oid from pg_catalog.pg_database as d where d.datname = current_database()), 'create')
  ) then
    execute format('grant create on database %I to leads_owner', current_database());
  end if;

  -- auth.current_position and auth.position_states call these. A migration grants them too, as the migrating
  -- login.
  foreach v_name in array array['pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn', 'pg_last_wal_replay_lsn']
  loop
    if not has_function_privilege(v_owner, format('pg_catalog.%I()', v_name), 'execute with grant option') then
      execute format('grant execute on function pg_catalog.%I() to %I with grant option', v_name, v_owner);
    end if;
    if
      to_regrole('leads_auth') is not null
      and not has_function_privilege('leads_auth', format('pg_catalog.%I()', v_name), 'execute')
    then
      execute format('grant execute on function pg_catalog.%I() to leads_auth', v_name);
    end if;
  end loop;

  -- The migrating login, which owns the database, limits the temporary files and the log lines of
  -- analysts' sessions.
  foreach v_parameter in array array['temp_file_limit', 'log_min_messages']
  loop
    if not has_parameter_privilege(v_owner, v_parameter, 'set') then
      execute format('grant set on parameter %I to %I', v_parameter, v_owner);
    end if;
  end loop;

  -- From PostgreSQL 16 on, some connections can be reserved for the service's logins. A migration
  -- grants them too, as the migrating login.
  if exists (select from pg_catalog.pg_roles as r where r.rolname = 'pg_use_reserved_connections') then
    if not pg_has_role(v_owner, 'pg_use_reserved_connections', 'member with admin option') then
      execute format('grant pg_use_reserved_connections to %I with admin option', v_owner);
    end if;
    for v_login in
      select r.rolname
      from pg_catalog.pg_roles as r
      where
        r.rolname in ('leads_api', 'leads_operator', 'leads_worker', 'leads_router')
        and not pg_has_role(r.oid, 'pg_use_reserved_connections', 'member')
    loop
      execute format('grant pg_use_reserved_connections to %I', v_login);
    end loop;
  end if;
exception
  when lock_not_available then
    raise lock_not_available using message = format(
      'An open transaction has locked what this script must change. It is one of: %s. '
      'End it with pg_terminate_backend(PID) or, on the server''s machine, with kill PID. Then try again.',
      (
        select coalesce(string_agg(format('%s (pid %s)', a.usename, a.pid), ', ' order by a.xact_start), 'none any more')
        from pg_catalog.pg_stat_activity as a
        where a.backend_xid is not null and a.pid <> pg_backend_pid()
      )
    );
end;
$$;

reset search_path;
