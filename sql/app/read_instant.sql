-- app.read_instant - reads a time that a request sends as text.
set local role leads_owner;

create or replace function app.read_instant(value text)
returns timestamptz language plpgsql stable strict parallel unsafe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_parts text[] := regexp_match(
    read_instant.value collate "C",
    '^([0-9]{4}-[0-9]{2}-[0-9]{2})'
    '(?:[Tt ]((?:[01][0-9]|2[0-3]):[0-5][0-9])(?::([0-5][0-9]|60)(\.[0-9]+)?)?'
    -- A plus sign in a query that is not percent-encoded arrives as a space.
    ' ?(?:[Zz]|([+ -])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?))?$'
  );
  v_offset interval;
  v_instant timestamptz;
begin
  if v_parts is null then
    return null;
  end if;
  v_offset := make_interval(hours => coalesce(v_parts[6], '0')::integer, mins => coalesce(v_parts[7], '0')::integer);
  -- PostgreSQL accepts offsets below 16 hours only, and RFC 3339 permits offsets up to 23:59.
  v_instant :=
    concat(v_parts[1], ' ', coalesce(v_parts[2], '00:00'), ':', coalesce(v_parts[3], '00'), left(v_parts[4], 7))::timestamp
      at time zone 'UTC'
    + case v_parts[5] when '-' then v_offset else -v_offset end;
  if
    v_instant >= '0001-01-01 00:00:00Z'
    and v_instant < '10000-01-01 00:00:00Z'
    -- A leap second is the last one of a day in UTC. It is read as the first second of the next day.
    and (v_parts[3] is distinct from '60' or (v_instant at time zone 'UTC')::time < '00:00:01')
  then
    return v_instant;
  end if;
  return null;
exception
  -- A day that does not exist, such as February 30.
  when datetime_field_overflow then
    return null;
end $$;

comment on function app.read_instant(text) is
$$The time in an ISO 8601 text. Null: the text is no such time.

Accepts YYYY-MM-DD (midnight UTC), or a date and time with Z or an offset, in the years 1 to 9999. T can be a space; the
seconds and their fraction are optional; an offset is +02:00, +0200 or +02. The result has microseconds, truncated.$$;

grant execute on function app.read_instant(text) to leads_exec, leads_intake, leads_jobs;
