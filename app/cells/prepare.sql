-- prepare.sql - what a superuser installs in a cell, so that organizations can move to it and from it.
-- `leads cells prepare` prints this script, with the addresses of the other cells at its end. It may be run again.
--
-- The schema "cell" has the functions that only a superuser can make: for the replication login, the slot, the
-- subscription and the file with the password. leads_operator may execute them, and nothing else is granted. Each one
-- takes an organization that is being moved, and the name of a registered cell: never an address, a path or a name of an
-- object. Each may be called again after it was interrupted.

do $$
begin
  perform set_config('lock_timeout', '5s', true);
  if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) then
    raise exception using
      message = format('%s is not a superuser.', current_user),
      hint = 'Run this script as a superuser: it makes functions that create replication logins and subscriptions.';
  end if;
  if to_regclass('app.placement') is null then
    raise exception using
      message = format('The database %s has no table app.placement.', current_database()),
      hint = 'Connect to the database of the cell. If this is it, run: leads migrate';
  end if;
  -- Its owner could replace the functions before they are created, or after.
  if exists (
    select
    from pg_catalog.pg_namespace as n
    join pg_catalog.pg_roles as r on r.oid = n.nspowner
    where n.nspname = 'cell' and not r.rolsuper
  ) then
    raise exception using
      message = 'The schema cell belongs to a role that is no superuser.',
      hint = 'Find out who has created it, and drop it: drop schema cell cascade;';
  end if;
  if current_setting('wal_level') <> 'logical' then
    raise exception using
      message = format('wal_level is %s.', current_setting('wal_level')),
      hint = 'Run: alter system set wal_level = logical; Then restart PostgreSQL, and run this script again.';
  end if;
  -- A move needs a slot and a sender at the source, and one more of both for each table that is copied at the same time
  -- (max_sync_workers_per_subscription of the target).
  if current_setting('max_replication_slots')::integer < 4 or current_setting('max_wal_senders')::integer < 4 then
    raise exception using
      message = format(
        'max_replication_slots is %s and max_wal_senders is %s.',
        current_setting('max_replication_slots'), current_setting('max_wal_senders')
      ),
      hint = 'Set both to 10, their default, and restart PostgreSQL.';
  end if;
  if current_setting('max_logical_replication_workers')::integer < 2
    or current_setting('max_worker_processes')::integer < current_setting('max_logical_replication_workers')::integer
  then
    raise exception using
      message = format(
        'max_logical_replication_workers is %s and max_worker_processes is %s.',
        current_setting('max_logical_replication_workers'), current_setting('max_worker_processes')
      ),
      hint = 'Set max_logical_replication_workers to 4, its default, and max_worker_processes to 8 or more. '
        'Then restart PostgreSQL.';
  end if;
  if current_setting('max_slot_wal_keep_size') = '-1' then
    raise warning using
      message = 'max_slot_wal_keep_size is -1: a move that nobody finishes keeps the write-ahead log until the disk is full.',
      hint = 'Set it to the part of the disk that may be used for this, such as 20GB.';
  end if;
  -- pg_hba.conf can name the logins of all moves by their group.
  if not exists (select from pg_catalog.pg_roles as r where r.rolname = 'leads_move') then
    create role leads_move nologin;
  end if;
end $$;

create schema if not exists cell;
revoke all on schema cell from public;
comment on schema cell is
  'Functions of a superuser for moving an organization to another cell. Made by leads cells prepare, not by the migrations.';

-- An older release may have made them with other arguments.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid::regprocedure from pg_catalog.pg_proc as p where p.pronamespace = 'cell'::regnamespace
  loop
    execute format('drop function %s', v_function);
  end loop;
end $$;

create table if not exists cell.peer (
  name text primary key,
  address text not null,
  constraint peer_name_is_a_word check (name ~ '^[a-z][a-z0-9_]{0,30}$')
);
revoke all on cell.peer from public;
comment on table cell.peer is 'The other cells, from which organizations may arrive.';
comment on column cell.peer.address is
  'The libpq connection string of the cell''s database, without user and password. PostgreSQL connects to it.';

create or replace function cell.move_name(organization_id uuid)
returns name language sql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$ select 'leads_move_' || replace(organization_id::text, '-', '') $$;
comment on function cell.move_name(uuid) is
  'The name of the publication, the slot, the login and the subscription of a move.';

create or replace function cell.check_move(organization_id uuid, states text[], other_cell text default null)
returns void language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select
    from app.placement as p
    where
      p.organization_id = check_move.organization_id
      and p.state = any (states)
      and (other_cell is null or p.cell = other_cell)
  ) then
    raise sqlstate 'PT409' using
      message = 'no_such_move',
      hint = format(
        'The organization %s is not being moved here%s.', organization_id, coalesce(' from the cell ' || other_cell, '')
      );
  end if;
end $$;
comment on function cell.check_move(uuid, text[], text) is
  'Raises PT409 no_such_move unless the organization has one of these states and the other cell.';

create or replace function cell.lock_move(organization_id uuid)
returns boolean language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$ select pg_try_advisory_lock(hashtextextended(cell.move_name(organization_id), 0)) $$;
comment on function cell.lock_move(uuid) is
  'Locks the move of an organization until the session ends. False: another session has the lock.';

-- The source.

create or replace function cell.make_login(organization_id uuid, verifier text)
returns name language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_login name := cell.move_name(organization_id);
  v_table record;
begin
  perform cell.check_move(organization_id, array['copying', 'draining', 'moving']);
  if (verifier ~ '^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$') is not true then
    raise sqlstate 'PT422' using message = 'invalid_verifier', hint = 'The verifier must be one of SCRAM-SHA-256 (RFC 5803).';
  end if;
  if not exists (select from pg_roles as r where r.rolname = v_login) then
    execute format('create role %I in role leads_move', v_login);
  end if;
  -- BYPASSRLS: without it, the first copy of a table would be empty, because no policy names this login. A replication
  -- login can read the whole write-ahead log, so a policy would protect nothing.
  execute format(
    'alter role %I login replication bypassrls connection limit 10 password %L valid until %L',
    v_login, verifier, now() + interval '1 day'
  );
  execute format('grant connect on database %I to %I', current_database(), v_login);
  for v_table in
    select p.schemaname, p.tablename from pg_publication_tables as p where p.pubname = v_login order by 1, 2
  loop
    execute format('grant usage on schema %I to %I', v_table.schemaname, v_login);
    execute format('grant select on %I.%I to %I', v_table.schemaname, v_table.tablename, v_login);
  end loop;
  return v_login;
end $$;
comment on function cell.make_login(uuid, text) is
$$At the source: makes the replication login of a move, or gives it another password.

verifier: the SCRAM-SHA-256 verifier of the password, which is accepted for a day. The login can read the published
tables. Returns its name.$$;

create or replace function cell.drop_login(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_login name := cell.move_name(organization_id);
begin
  if exists (select from pg_roles as r where r.rolname = v_login) then
    execute format('alter role %I nologin', v_login);
    perform pg_terminate_backend(a.pid) from pg_stat_activity as a where a.usename = v_login;
    execute format('drop owned by %I', v_login);
    execute format('drop role %I', v_login);
  end if;
end $$;
comment on function cell.drop_login(uuid) is 'At the source: ends the sessions of the move''s login, and drops it.';

create or replace function cell.make_slot(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform cell.check_move(organization_id, array['copying', 'draining', 'moving']);
  if not exists (select from pg_replication_slots as s where s.slot_name = cell.move_name(organization_id)) then
    -- The block is a subtransaction. Without one, the function fails (XX000, "snapshot reference … is not owned by resource
    -- owner") if another transaction that has changed the catalogue ends meanwhile: PostgreSQL 15 to 18 then go on with the
    -- resources of the whole transaction instead of those of this statement.
    begin
      perform pg_create_logical_replication_slot(cell.move_name(organization_id), 'pgoutput');
    exception
      when assert_failure then raise;  -- never raised here: an error that is caught would keep the slot
    end;
  end if;
end $$;
comment on function cell.make_slot(uuid) is
  'At the source: makes the slot of a move. Waits for the transactions that run. Must be the first call of its transaction.';

create or replace function cell.drop_slot(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_slot record;
begin
  select s.slot_name, s.active_pid into v_slot
  from pg_replication_slots as s
  where s.slot_name = cell.move_name(organization_id);
  if found then
    perform pg_terminate_backend(v_slot.active_pid, 10000) where v_slot.active_pid is not null;
    perform pg_drop_replication_slot(v_slot.slot_name);
  end if;
end $$;
comment on function cell.drop_slot(uuid) is 'At the source: ends the sender of the move''s slot, and drops the slot.';

create or replace function cell.mark_position()
returns void language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$ select pg_logical_emit_message(true, 'leads_move', '') $$;
comment on function cell.mark_position() is
  'At the source: writes a commit, so that the write-ahead log is flushed and everything before it is sent.';

create or replace function cell.position(organization_id uuid)
returns table (written pg_lsn, confirmed pg_lsn, behind bigint, is_active boolean, wal_status text)
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
  select
    w.lsn, s.confirmed_flush_lsn, greatest(w.lsn - s.confirmed_flush_lsn, 0)::bigint, s.active, s.wal_status
  from pg_current_wal_insert_lsn() as w (lsn)
  join pg_replication_slots as s on s.slot_name = cell.move_name(position.organization_id)
$$;
comment on function cell.position(uuid) is
$$At the source: how far the write-ahead log is, and how far the target has stored it; no row without a slot.

behind: the bytes between them. wal_status: lost if the slot needs a part of the log that was removed.$$;

create or replace function cell.late_replicas(since pg_lsn)
returns table (name text, most_lag integer) language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
  with replica as (
    select
      concat_ws(' ', 'the replica', nullif(r.application_name, ''), host(r.client_addr)) as name,
      (r.replay_lsn >= late_replicas.since) is true as is_there
    from pg_stat_replication as r
    where
      r.state <> 'backup'
      and not exists (select from pg_replication_slots as s where s.active_pid = r.pid and s.slot_type = 'logical')
    union all
    select format('the replica with the slot %s, which isn''t connected', s.slot_name), false
    from pg_replication_slots as s
    where s.slot_type = 'physical' and not s.active and s.restart_lsn is not null
  ),
  server as (
    select max(v.numbers[1]::integer) as replicas, max(v.numbers[2]::integer) as most_lag
    from pg_stat_activity as a
    cross join regexp_match(a.application_name, '^leads-api, ([0-9]{1,4}) replicas up to ([0-9]{1,4}) s$') as v (numbers)
    where a.datname = current_database() and a.usename = 'leads_api'
  )
  select r.name, s.most_lag from replica as r cross join server as s where not r.is_there
  union all
  select 'a replica that isn''t connected to this server', s.most_lag
  from server as s
  where s.replicas > (select count(*) from replica)
$$;
comment on function cell.late_replicas(pg_lsn) is
$$At the source: the replicas that have not replayed the write-ahead log up to a position, and one that only API servers know, such as a
replica of a replica. No row: there is none.

most_lag: by how many seconds a replica may be late that an API server reads from (LEADS_REPLICA_LAG); null: no server reads from one.$$;

-- The target.

create or replace function cell.write_password(organization_id uuid, source_cell text, password text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform cell.check_move(organization_id, array['arriving'], source_cell);
  if (password ~ '^[0-9a-f]{64}$') is not true then
    raise sqlstate 'PT422' using message = 'invalid_password', hint = 'The password must have 64 hexadecimal digits.';
  end if;
  -- Through a setting, so that the password is in no statement's text.
  perform set_config('leads.move_password', format('*:*:*:%s:%s', cell.move_name(organization_id), password), true);
  execute format(
    'copy (select current_setting(''leads.move_password'')) to program %L',
    -- libpq refuses a file that others can read, which COPY itself would make.
    'umask 077 && cat > ' || cell.quoted_password_file(organization_id)
  );
  perform set_config('leads.move_password', '', true);
end $$;
comment on function cell.write_password(uuid, text, text) is
  'At the target: writes the password of the source''s login to a file that only the account of PostgreSQL can read.';

create or replace function cell.password_file(organization_id uuid)
returns text language sql stable set search_path = pg_catalog, pg_temp
-- A base backup leaves out files with this prefix.
as $$ select current_setting('data_directory') || '/pgsql_tmp_' || cell.move_name(organization_id) $$;

create or replace function cell.quoted_password_file(organization_id uuid)
returns text language sql stable set search_path = pg_catalog, pg_temp
as $$ select '''' || replace(cell.password_file(organization_id), '''', '''\''''') || '''' $$;
comment on function cell.password_file(uuid) is 'The file with the password of a move, in the form of .pgpass.';
comment on function cell.quoted_password_file(uuid) is 'The file with the password of a move, quoted for a shell.';

create or replace function cell.subscribe(organization_id uuid, source_cell text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_name name := cell.move_name(organization_id);
  v_address text;
  v_tables text;
begin
  perform cell.check_move(organization_id, array['arriving'], source_cell);
  if exists (
    select from pg_subscription as s where s.subname = v_name and s.subdbid = (
      select d.oid from pg_database as d where d.datname = current_database()
    )
  ) then
    execute format('alter subscription %I enable', v_name);
    return;
  end if;
  select p.address into v_address from cell.peer as p where p.name = source_cell;
  if not found then
    raise sqlstate 'PT409' using
      message = 'unknown_cell',
      hint = format('The cell %s is not registered here. A superuser must run the script of: leads cells prepare', source_cell);
  end if;
  execute format(
    -- streaming = off: PostgreSQL 18 would send large transactions before their end. Its sender then failed with "unexpected
    -- table_index_fetch_tuple call during logical decoding", and after three errors the move stops.
    'create subscription %I connection %L publication %I with (create_slot = false, slot_name = %L, streaming = off%s)',
    v_name,
    -- libpq quotes a value with single quotes, and \ before a quote in it.
    format(
      '%s user=%s passfile=''%s'' application_name=%s', v_address, v_name,
      replace(replace(cell.password_file(organization_id), '\', '\\'), '''', '\'''), v_name
    ),
    v_name, v_name,
    -- From PostgreSQL 16 on, rows are otherwise written as the owner of the table, whom FORCE ROW LEVEL SECURITY stops.
    case when current_setting('server_version_num')::integer >= 160000 then ', run_as_owner = true' end
  );
  -- The other cell has said which tables. Rows of others are never applied, and in these a trigger checks each row.
  v_tables := (
    select string_agg(coalesce(t.relation, r.srrelid::regclass::text), ', ' order by t.position)
    from pg_subscription as s
    join pg_subscription_rel as r on r.srsubid = s.oid
    full join (
      select c.position, c.relation, c.relation::regclass as oid from admin.table_class() as c where c.class = 'data'
    ) as t on t.oid = r.srrelid
    where (s.oid is null or s.subname = v_name) and (t.oid is null or r.srrelid is null)
  );
  if v_tables is not null then
    raise sqlstate 'PT409' using
      message = 'other_tables',
      hint = format('The cell %s does not publish the tables of a move, which differ in: %s.', source_cell, v_tables);
  end if;
  v_tables := (
    select string_agg(c.relation, ', ' order by c.position)
    from admin.table_class() as c
    where
      c.class = 'data'
      and 2 > (
        select count(*)
        from pg_trigger as t
        where
          t.tgrelid = c.relation::regclass and t.tgfoid = 'app.tg_check_arrival()'::regprocedure
          and t.tgenabled in ('R', 'A')
      )
  );
  if v_tables is not null then
    raise sqlstate 'PT409' using
      message = 'arrival_is_not_checked',
      hint = format('A trigger that checks what arrives is missing or disabled. Run leads doctor. Tables: %s.', v_tables);
  end if;
end $$;
comment on function cell.subscribe(uuid, text) is
  'At the target: makes the subscription of a move, which copies the rows and then follows the source; or starts it again.';

create or replace function cell.arrival(organization_id uuid)
returns table (relation text, state text, rows bigint, is_enabled boolean, is_running boolean, errors bigint)
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $$
  select
    r.srrelid::regclass::text, r.srsubstate::text, coalesce(c.tuples_processed, 0), s.subenabled,
    exists (select from pg_stat_subscription as w where w.subid = s.oid and w.pid is not null),
    (select e.apply_error_count + e.sync_error_count from pg_stat_subscription_stats as e where e.subid = s.oid)
  from pg_subscription as s
  join pg_subscription_rel as r on r.srsubid = s.oid
  left join pg_stat_progress_copy as c on c.relid = r.srrelid and c.datname = current_database() and c.type = 'CALLBACK'
  where
    s.subname = cell.move_name(arrival.organization_id)
    and s.subdbid = (select d.oid from pg_database as d where d.datname = current_database())
  order by 1
$$;
comment on function cell.arrival(uuid) is
$$At the target: the tables of the subscription; no row: there is no subscription.

state: r if the first copy is complete and changes are applied. rows: those copied so far, while a copy runs.
errors: how often the subscription has failed; PostgreSQL's log has the reason.$$;

create or replace function cell.store_at_once(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform cell.check_move(organization_id, array['arriving']);
  execute format('alter subscription %I set (synchronous_commit = on)', cell.move_name(organization_id));
end $$;
comment on function cell.store_at_once(uuid) is
  'At the target: reports each change to the source as soon as it is stored, and not up to 0.2 s later. It costs a write to the disk each.';

create or replace function cell.disable(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform cell.check_move(organization_id, array['arriving']);
  execute format('alter subscription %I disable', cell.move_name(organization_id));
end $$;
comment on function cell.disable(uuid) is 'At the target: lets the subscription of a move apply nothing more.';

create or replace function cell.is_stopped(organization_id uuid)
returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- A worker looks once a second whether its subscription is disabled.
  perform pg_terminate_backend(w.pid, 1000)
  from pg_subscription as s
  join pg_stat_subscription as w on w.subid = s.oid
  where s.subname = cell.move_name(organization_id) and not s.subenabled and w.pid is not null;
  return not exists (
    select
    from pg_stat_subscription as w
    where w.subname = cell.move_name(organization_id) and w.pid is not null
  );
end $$;
comment on function cell.is_stopped(uuid) is
  'At the target: ends the processes of a disabled subscription; whether none is left.';

create or replace function cell.unsubscribe(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_name name := cell.move_name(organization_id);
begin
  if exists (
    select from pg_subscription as s where s.subname = v_name and s.subdbid = (
      select d.oid from pg_database as d where d.datname = current_database()
    )
  ) then
    execute format('alter subscription %I disable', v_name);
    -- Otherwise DROP would drop the slot, too, which can't be rolled back.
    execute format('alter subscription %I set (slot_name = none)', v_name);
    execute format('drop subscription %I', v_name);
  end if;
  -- The program reads its empty input, because COPY fails if it ends too early.
  execute format('copy (select) to program %L', 'cat > /dev/null && rm -f ' || cell.quoted_password_file(organization_id));
end $$;
comment on function cell.unsubscribe(uuid) is
  'At the target: drops the subscription of a move, if there is one, and removes the file with the password.';

-- Nobody but leads_operator may call them. The others are called by these functions only.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid::regprocedure from pg_catalog.pg_proc as p where p.pronamespace = 'cell'::regnamespace
  loop
    execute format('revoke all on function %s from public, leads_operator', v_function);
  end loop;
end $$;
grant usage on schema cell to leads_operator;
grant execute on function
  cell.lock_move(uuid), cell.make_login(uuid, text), cell.drop_login(uuid), cell.make_slot(uuid), cell.drop_slot(uuid),
  cell.mark_position(), cell.position(uuid), cell.late_replicas(pg_lsn), cell.write_password(uuid, text, text), cell.subscribe(uuid, text),
  cell.arrival(uuid), cell.store_at_once(uuid), cell.disable(uuid), cell.is_stopped(uuid), cell.unsubscribe(uuid)
to leads_operator;
