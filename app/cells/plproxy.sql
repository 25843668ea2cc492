-- plproxy.sql - makes a migrated, empty database the router of the cells (docs/cells.md, PL/Proxy).
-- `leads cells plproxy` prints this script, with the addresses of the cells at its end. It may be run again, and must be
-- run again after each `leads migrate` of this database: the migrations restore the functions that it replaces.
--
-- The API server of this database is unchanged. Its functions are replaced, so that they call those of the cell that has the
-- key. The functions keep their owners, privileges, arguments and comments, so the routes and the reference stay the same.

do $$
begin
  perform set_config('lock_timeout', '5s', true);
  if not (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) then
    raise exception using
      message = format('%s is not a superuser.', current_user),
      hint = 'Run this script as a superuser: only a superuser can create functions of PL/Proxy.';
  end if;
  if to_regclass('api.route') is null then
    raise exception using
      message = format('The database %s has no table api.route.', current_database()),
      hint = 'Connect to the database of the router. If this is it, run: leads migrate';
  end if;
  -- Its owner could have made tables there, whose triggers would run with the rights of this script.
  if exists (
    select
    from pg_catalog.pg_namespace as n
    join pg_catalog.pg_roles as r on r.oid = n.nspowner
    where n.nspname = 'router' and not r.rolsuper
  ) then
    raise exception using
      message = 'The schema router belongs to a role that is no superuser.',
      hint = 'Find out who has created it, and drop it: drop schema router cascade;';
  end if;
  if exists (select from app.organization) then
    raise exception using
      message = format('The database %s has organizations.', current_database()),
      hint = 'A cell cannot be the router. Make an empty database for the router, and run there: leads migrate';
  end if;
end $$;

create schema if not exists router;
revoke all on schema router from public;
grant usage on schema router to leads_auth, leads_exec, leads_intake, leads_operator, leads_router;
comment on schema router is 'What the router of the cells has: the cell of each key, and the functions that call the cells.';
create extension if not exists plproxy schema router;

create table if not exists router.cell (
  number integer primary key,
  name text not null unique
);
comment on table router.cell is 'The cells. number: the number of their partition in the foreign servers of PL/Proxy.';

create table if not exists router.key (
  digest bytea primary key,
  cell text not null
);
comment on table router.key is
  'The cell of each key and form, by the digest of its digest, as in auth.api_key. leads cells sync keeps it.';
revoke all on router.cell, router.key from public;
grant select on router.cell, router.key to leads_auth, leads_exec;

create or replace function router.lines()
returns table (digest text, cell text) language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select encode(k.digest, 'hex'), k.cell from router.key as k;
end;

create or replace function router.change_lines(removed text[], digests text[], cells text[])
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  delete from router.key as k
  where k.digest = any (array(select decode(r.digest, 'hex') from unnest(change_lines.removed) as r (digest)));
  insert into router.key as k (digest, cell)
  select decode(n.digest, 'hex'), n.cell from unnest(change_lines.digests, change_lines.cells) as n (digest, cell)
  on conflict (digest) do update set cell = excluded.cell where k.cell <> excluded.cell;
end $$;

revoke all on function router.lines(), router.change_lines(text[], text[], text[]) from public;
grant execute on function router.lines(), router.change_lines(text[], text[], text[]) to leads_operator, leads_router;

-- Raises the error of a cell as the cell raised it. PL/Proxy reports it as "f(1): [database] REMOTE ERROR: …" with "Remote
-- hint: …", and leaves out the name of the constraint. If there was no answer, raises what is known about the outcome.
create or replace function router.raise_failure(sqlstate text, message text, detail text, hint text, is_read_only boolean)
returns void language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  v_message text := substring(raise_failure.message, '^[^:]*[(][0-9]+[)]: \[[^]]*\] REMOTE [^:]+: (.*)$');
begin
  -- 57P01 to 57P05 end the session.
  if v_message is not null and raise_failure.sqlstate !~ '^57P' then
    raise exception using
      errcode = raise_failure.sqlstate,
      message = v_message,
      detail = regexp_replace(raise_failure.detail, '^Remote detail: ', ''),
      hint = regexp_replace(raise_failure.hint, '^Remote hint: ', ''),
      constraint = coalesce(
        case
          when raise_failure.sqlstate = 'PT429' then substring(raise_failure.hint, '([0-9]+) s')
          when raise_failure.sqlstate ~ '^23' then substring(v_message, '"([^"]+)"$')
        end,
        ''
      );
  end if;
  raise log 'A cell did not answer: %', raise_failure.message;
  if raise_failure.is_read_only or raise_failure.message ~ '(PQconnectStart|PQconnectPoll|connect timeout)' then
    raise sqlstate 'PT503' using message = 'unavailable', detail = '';
  end if;
  raise sqlstate 'PT503' using message = 'outcome_unknown';
end $$;

revoke all on function router.raise_failure(text, text, text, text, boolean) from public;
grant execute on function router.raise_failure(text, text, text, text, boolean) to leads_exec, leads_intake;

-- The cell of the request, as auth.enter has found it; null: no cell has the key.
create or replace function router.cell()
returns integer language sql stable set search_path = pg_catalog, pg_temp
return nullif(current_setting('leads.cell', true), '')::integer;

revoke all on function router.cell() from public;
grant execute on function router.cell() to leads_auth, leads_exec, leads_intake;

delete from router.cell;
insert into router.cell (number, name) select g.number, g.name from listed_cell as g;

-- The foreign servers, one for each time that a statement may take. A cell ends a statement before this database does, so
-- that its outcome is known.
do $$
declare
  v_server record;
begin
  for v_server in
    select s.srvname as name
    from pg_catalog.pg_foreign_server as s
    join pg_catalog.pg_foreign_data_wrapper as w on w.oid = s.srvfdw
    where w.fdwname = 'plproxy' and s.srvname ~ '^cells_[0-9]+$'
  loop
    execute format('drop server %I cascade', v_server.name);
  end loop;
  for v_server in
    select
      'cells_' || t.seconds as name,
      string_agg(
        format(
          'p%s %L',
          c.number,
          replace(
            replace(c.address, 'STATEMENT_TIMEOUT', ((t.seconds - 0.5) * 1000)::integer::text),
            'LOCK_TIMEOUT',
            case when t.seconds > 10 then '2000' else '50' end
          )
        ),
        ', '
        order by c.number
      ) as partitions
    from (select distinct greatest(r.timeout_seconds, 10) as seconds from api.route as r union select 10) as t
    cross join listed_cell as c
    group by t.seconds
  loop
    execute format(
      'create server %I foreign data wrapper plproxy options (modular_mapping ''1'', %s)',
      v_server.name, v_server.partitions
    );
    execute format('create user mapping for public server %I options (user ''leads_api'')', v_server.name);
    execute format('grant usage on foreign server %I to leads_auth, leads_exec, leads_intake', v_server.name);
  end loop;
end $$;

-- The functions that call a cell: one of PL/Proxy for each function of a route, router.schema_name, and in the place of the
-- function itself one that calls it, and raises its errors.
do $$
declare
  v_function record;
begin
  for v_function in
    select p.oid::regprocedure as signature
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_language as l on l.oid = p.prolang
    where p.pronamespace = 'router'::regnamespace and l.lanname = 'plproxy'
  loop
    execute format('drop function %s', v_function.signature);
  end loop;
  for v_function in
    select
      f.oid::regproc::text as name,
      pg_get_userbyid(f.proowner) as owner,
      replace(f.oid::regproc::text, '.', '_') as stub,
      pg_get_function_arguments(f.oid) as arguments,
      case when f.provolatile = 'v' then 'false' else 'true' end as is_read_only,
      r.seconds,
      (
        -- The types under domains. Without a name, no argument hides a word of the statement.
        select string_agg(', ' || format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null), '' order by a.position)
        from unnest(f.proargtypes::oid[]) with ordinality as a (type, position)
        join pg_catalog.pg_type as t on t.oid = a.type
      ) as types,
      (select string_agg(format('$%s', n + 5), ', ' order by n) from generate_series(1, f.pronargs) as n) as sent,
      (select string_agg(format(', $%s', n), '' order by n) from generate_series(1, f.pronargs) as n) as taken
    from (
      select e.function, max(greatest(e.seconds, 10)) as seconds
      from (
        -- A function without a scope needs no key, so no cell can be found for it.
        select r.function, r.timeout_seconds from api.route as r where r.scope is not null
        union all
        select r.wait_function, 10 from api.route as r where r.wait_function is not null
      ) as e (function, seconds)
      group by e.function
    ) as r
    join pg_catalog.pg_proc as f on f.oid = to_regproc(r.function) and f.prorettype = 'api.answer'::regtype
  loop
    execute format(
      $stub$
      create function router.%1$I (integer, text, text, text, boolean%2$s)
      returns api.answer language plproxy volatile as $plproxy$
        cluster 'cells_%3$s';
        run on $1;
        select (a.r).status, (a.r).headers, (a.r).body
        from (select %4$s(%5$s) as r from auth.enter($2, $3, $4, $5) offset 0) as a;
      $plproxy$
      $stub$,
      v_function.stub, v_function.types, v_function.seconds, v_function.name, v_function.sent
    );
    execute format('revoke all on function router.%I from public', v_function.stub);
    execute format('grant execute on function router.%I to %I', v_function.stub, v_function.owner);
    execute format(
      $stub$
      create or replace function %1$s(%2$s)
      returns api.answer language plpgsql %3$s security definer set search_path = pg_catalog, pg_temp
      as $body$
      declare
        v_sqlstate text;
        v_message text;
        v_detail text;
        v_hint text;
      begin
        return router.%4$I(
          router.cell(), current_setting('leads.key_digest'), current_setting('leads.request_id'),
          current_setting('leads.scope'), %5$s%6$s
        );
      exception
        when query_canceled or others then
          get stacked diagnostics
            v_sqlstate = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail,
            v_hint = pg_exception_hint;
          perform router.raise_failure(v_sqlstate, v_message, v_detail, v_hint, %5$s);
      end $body$
      $stub$,
      v_function.name,
      v_function.arguments,
      case when v_function.is_read_only = 'true' then 'stable' else 'volatile' end,
      v_function.stub,
      v_function.is_read_only,
      v_function.taken
    );
  end loop;
end $$;

create function router.input_faults(integer, text, text, text, boolean, text[], text[], text[])
returns json language plproxy volatile as $$
  cluster 'cells_10';
  run on $1;
  select api.input_faults($6, $7, $8) from auth.enter($2, $3, $4, $5);
$$;

create function router.caller(integer, text, text)
returns text language plproxy volatile as $$
  cluster 'cells_10';
  run on $1;
  select auth.caller() from auth.enter($2, $3, null, true);
$$;

create function router.is_announced(integer, uuid, uuid)
returns boolean language plproxy volatile as $$
  cluster 'cells_10';
  run on $1;
  select auth.is_announced($2, $3);
$$;

create function router.record_key_uses(integer, text[], double precision[])
returns text language plproxy volatile as $$
  cluster 'cells_10';
  run on $1;
  select auth.record_key_uses($2, $3)::text;
$$;

create function router.sealing_key(integer, out id text, out public_key bytea)
returns setof record language plproxy volatile as $$
  cluster 'cells_10';
  run on $1;
  select k.id, k.public_key from api.sealing_key() as k;
$$;

revoke all on function
  router.input_faults(integer, text, text, text, boolean, text[], text[], text[]),
  router.caller(integer, text, text),
  router.is_announced(integer, uuid, uuid),
  router.record_key_uses(integer, text[], double precision[]),
  router.sealing_key(integer)
from public;
grant execute on function
  router.input_faults(integer, text, text, text, boolean, text[], text[], text[]), router.sealing_key(integer)
to leads_exec;
grant execute on function
  router.caller(integer, text, text),
  router.is_announced(integer, uuid, uuid),
  router.record_key_uses(integer, text[], double precision[])
to leads_auth;

create or replace function auth.enter(key_digest text, request_id text, scope text, read_only boolean)
returns void language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting text;
begin
  v_setting := concat(
    set_config('leads.request_id', enter.request_id, true),
    set_config('leads.key_digest', coalesce(enter.key_digest, ''), true),
    set_config('leads.scope', coalesce(enter.scope, ''), true),
    set_config(
      'leads.cell',
      coalesce(
        (
          select c.number::text
          from router.key as k
          join router.cell as c on c.name = k.cell
          where k.digest = (select sha256(decode(substring(enter.key_digest, '^[0-9a-f]{64}$'), 'hex')))
        ),
        ''
      ),
      true
    ),
    case when enter.read_only then set_config('transaction_read_only', 'on', true) end
  );
  -- The cell checks the key. A key without a cell is one that no cell has.
  if enter.scope is not null and router.cell() is null then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;
end $$;

create or replace function api.input_faults(names text[], types text[], texts text[])
returns json language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_sqlstate text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  return router.input_faults(
    router.cell(), current_setting('leads.key_digest'), current_setting('leads.request_id'), current_setting('leads.scope'),
    true, $1, $2, $3
  );
exception
  when query_canceled or others then
    get stacked diagnostics
      v_sqlstate = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    perform router.raise_failure(v_sqlstate, v_message, v_detail, v_hint, true);
end $$;

create or replace function auth.caller()
returns text language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when router.cell() is not null
    then router.caller(router.cell(), current_setting('leads.key_digest'), current_setting('leads.request_id'))
  end;
end $$;

-- A key is announced if no cell says otherwise. A cell that cannot be reached has not just created it.
create or replace function auth.is_announced(organization_id uuid, key_id uuid)
returns boolean language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_cell integer;
begin
  for v_cell in select c.number from router.cell as c loop
    begin
      if not router.is_announced(v_cell, is_announced.organization_id, is_announced.key_id) then
        return false;
      end if;
    exception
      when others then
        raise log 'The cell number % was not asked for a new key: %', v_cell, sqlerrm;
    end;
  end loop;
  return true;
end $$;

-- The uses of keys of a cell that cannot be reached are lost.
create or replace function auth.record_key_uses(key_digests text[], seconds_ago double precision[])
returns void language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_uses record;
begin
  for v_uses in
    select c.number as cell, array_agg(u.digest) as digests, array_agg(u.seconds) as seconds
    from unnest(record_key_uses.key_digests, record_key_uses.seconds_ago) as u (digest, seconds)
    join router.key as k on k.digest = sha256(decode(substring(u.digest, '^[0-9a-f]{64}$'), 'hex'))
    join router.cell as c on c.name = k.cell
    group by c.number
  loop
    begin
      perform router.record_key_uses(v_uses.cell, v_uses.digests, v_uses.seconds);
    exception
      when others then
        raise log 'The uses of keys were not recorded in the cell number %: %', v_uses.cell, sqlerrm;
    end;
  end loop;
end $$;

-- A secret is sealed before the cell is known, so all cells that answer must have the same key.
create or replace function api.sealing_key()
returns table (id text, public_key bytea) language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_cell integer;
  v_key record;
  v_id text;
  v_public_key bytea;
begin
  for v_cell in select c.number from router.cell as c loop
    begin
      for v_key in select k.id, k.public_key from router.sealing_key(v_cell) as k loop
        if v_id is not null and (v_key.id, v_key.public_key) is distinct from (v_id, v_public_key) then
          return;
        end if;
        v_id := v_key.id;
        v_public_key := v_key.public_key;
      end loop;
    exception
      when others then
        raise log 'The cell number % was not asked for its sealing key: %', v_cell, sqlerrm;
    end;
  end loop;
  if v_id is not null then
    return query select v_id, v_public_key;
  end if;
end $$;
