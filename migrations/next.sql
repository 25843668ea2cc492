-- Hand-written DDL for the next release: what sql/ cannot say, such as a table, a column or a type.
-- CONTRIBUTING.md, section "Migrations", has the rules. make release moves it into migrations.

-- migration: number_checks
-- Checks the size of a number before its digits are written out.
--
-- Locks: none that matter; two functions are replaced.
-- Duration: 0 s per million rows: no row is read. The functions return the same values as before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create or replace function scoring.is_decimal(value jsonb, low numeric, high numeric)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return
    jsonb_typeof(value) = 'number'
    and value::numeric between is_decimal.low and is_decimal.high
    and value::numeric = round(value::numeric, 2);
end $$;

create or replace function scoring.is_signal_value(value jsonb)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  -- A query takes ten times as long as an expression. It is needed for an object only.
  if jsonb_typeof(is_signal_value.value) = 'object' then
    return (
      select
        count(*) <= 32
        and coalesce(
          bool_and(
            char_length(m.key) between 1 and 64
            and case jsonb_typeof(m.value)
              when 'object' then false
              when 'array' then false
              when 'string' then char_length(m.value #>> '{}') <= 1000
              when 'number' then
                abs(m.value::numeric) < 1e40 and scale(m.value::numeric) < 40 and char_length(m.value #>> '{}') <= 40
              else true
            end
          ),
          true
        )
      from jsonb_each(is_signal_value.value) as m (key, value)
    );
  end if;
  return case jsonb_typeof(is_signal_value.value)
    when 'array' then false
    when 'string' then char_length(is_signal_value.value #>> '{}') <= 1000
    -- 1e131071 has 8 bytes, and 131,072 digits as text.
    when 'number' then
      abs(is_signal_value.value::numeric) < 1e40
      and scale(is_signal_value.value::numeric) < 40
      and char_length(is_signal_value.value #>> '{}') <= 40
    else true
  end;
end $$;

reset role;

-- migration: reserved_connections
-- Lets the service's logins use the server's reserved connections, from PostgreSQL 16 on.
--
-- Locks: none on a table; the catalogue of memberships for some milliseconds.
-- Duration: 0 s per million rows: no row is read.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.
do $$
begin
  -- Only a superuser can let the migrating login grant it (app/superuser.sql).
  if exists (
    select
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as r on r.oid = m.roleid
    where
      r.rolname = 'pg_use_reserved_connections' and m.member::regrole::name = current_user and m.admin_option
  )
  then
    grant pg_use_reserved_connections to leads_api, leads_operator, leads_worker;
  end if;
end $$;
