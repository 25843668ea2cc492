-- Hand-written DDL for the next release: what sql/ cannot say, such as a table, a column or a type.
-- CONTRIBUTING.md, section "Migrations", has the rules. make release moves it into migrations.

-- migration: number_checks
-- Checks the size of a number before its digits are written out.
--
-- Locks: none that matter; two functions are replaced, and one is added.
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

-- The planner puts the expression into the query that calls it.
create function scoring.is_signal_member(key text, value jsonb)
returns boolean language sql immutable parallel safe
begin atomic
  select
    char_length(key) between 1 and 64
    and case jsonb_typeof(value)
      when 'number' then
        -- 1e131071 has 8 bytes, and 131,072 digits as text. Most numbers are short, which costs less
        -- to find out than their text.
        abs(value::numeric) < 1e15 and scale(value::numeric) < 15
        or abs(value::numeric) < 1e40 and scale(value::numeric) < 40 and char_length(value #>> '{}') <= 40
      when 'string' then char_length(value #>> '{}') <= 1000
      when 'object' then false
      when 'array' then false
      else true
    end;
end;

comment on function scoring.is_signal_member(text, jsonb) is
  'Whether the value is true, false, null, a number of up to 40 digits or a text of up to 1,000 characters, under a name '
  'of 1 to 64 characters.';

grant execute on function scoring.is_signal_member(text, jsonb) to leads_exec, leads_jobs;

create or replace function scoring.is_signal_value(value jsonb)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  -- A query takes ten times as long as an expression. It is needed for an object only.
  if jsonb_typeof(is_signal_value.value) = 'object' then
    return (
      select count(*) <= 32 and coalesce(bool_and(scoring.is_signal_member(m.key, m.value)), true)
      from jsonb_each(is_signal_value.value) as m (key, value)
    );
  end if;
  return scoring.is_signal_member('value', is_signal_value.value);
end $$;

reset role;

-- migration: cursor_check
-- Checks a cursor by writing it again. The check of each part cost more than a page.
--
-- Locks: none that matter; a function is replaced.
-- Duration: 0 s per million rows: no row is read. The function returns the same values as before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create or replace function api.is_cursor(value text)
returns boolean language plpgsql immutable strict parallel unsafe set search_path = pg_catalog, pg_temp
as $$
declare
  v_content text collate "C";
begin
  -- A pattern with limits for the number of characters would be ten to a hundred times as slow.
  if char_length(is_cursor.value) > 200 or is_cursor.value collate "C" !~ '^[A-Za-z0-9_-]+$' then
    return false;
  end if;
  v_content := convert_from(
    decode(translate(is_cursor.value, '-_', '+/') || repeat('=', -char_length(is_cursor.value) & 3), 'base64'), 'UTF8'
  );
  -- Before the cast: for each name of a time zone in a text, a session keeps 24 KB until it ends.
  if translate(substr(v_content, 16, 24), '123456789', '000000000') <> '0000-00-00T00:00:00.000Z' then
    return false;
  end if;
  -- The same text again, if each part has its place and is written as the API writes it.
  return v_content = concat(
    '{"created_at":"',
    to_char(substr(v_content, 16, 24)::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    '","id":"', substr(v_content, 48, 36)::uuid, '"}'
  );
exception
  when data_exception then
    return false;
end $$;

reset role;

-- migration: text_checks
-- Checks texts in less time: patterns without limits for the number of characters, and no call for a null.
--
-- Locks: none that matter; three functions are replaced.
-- Duration: 0 s per million rows: no row is read. The functions return the same values as before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create or replace function app.is_text(value text, max_length integer)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return char_length(value) between 1 and max_length and value = app.trim_text(value);
end $$;

create or replace function app.is_name(value text)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return octet_length(value) <= 64 and value collate "C" ~ '^[a-z0-9][a-z0-9_-]*$';
end $$;

create or replace function app.is_email(value text)
returns boolean language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when octet_length(value) > 64 then
      char_length(value) <= 254
      and value collate "C" ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$'
    -- No part of a short value is too long.
    else
      value collate "C" ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)+$'
  end;
end $$;

reset role;

-- migration: new_ids
-- Makes ids with the function that PostgreSQL has from version 18 on.
--
-- Locks: none that matter; a function is replaced.
-- Duration: 0 s per million rows: no row is read. The ids have the same form as before.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

do $$
begin
  if current_setting('server_version_num')::integer >= 180000 then
    create or replace function app.new_id()
    returns uuid language sql volatile parallel safe
    begin atomic
      select uuidv7();
    end;
  end if;
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

-- migration: lead_item
-- Adds a column for the JSON text that a list shows of a lead.
--
-- Locks: ACCESS EXCLUSIVE on app.lead for a catalogue change; requests wait for some milliseconds.
-- Duration: 0 s per million rows: no row is read. The column is null until a trigger sets it.
-- Phase: expand
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
alter table app.lead
  add column item text,
  alter column item set statistics 0;
comment on column app.lead.item is
  'The lead as a list shows it, as JSON text; a trigger sets it. Null: not set yet, so that readers compute it.';
alter type app.lead_values add attribute item text;
reset role;

-- migration: lead_items
-- Sets the JSON text of the leads that exist. The new release can be started before it has ended.
--
-- Locks: the rows of a batch, for about 0.1 s; a PATCH of one of them waits.
-- Duration: 230 s per million rows of app.lead, each commit flushed to disk. Each row is written once more: the table's
--   files grow to three times their size, and its indexes by half. After VACUUM, new rows use the space of the old ones.
-- Phase: expand
-- If it breaks off: leads without the text are shown as before, in as much time as before; run leads migrate again.
-- backfill: admin.fill_lead_items (app.lead)
