-- app.read_instant - reads a time that a request sends as text.
set local role leads_owner;

create or replace function app.read_instant(value text)
returns timestamptz language plpgsql stable parallel safe security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
  v_instant timestamptz;
begin
  if
    read_instant.value collate "C"
    !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$'
  then
    return null;
  end if;
  -- PostgreSQL accepts offsets below 16 hours only, and RFC 3339 permits offsets up to 23:59.
  v_instant := date_trunc(
    'milliseconds',
    regexp_replace(read_instant.value, '([Zz]|[+-][0-9]{2}:[0-9]{2})$', '')::timestamp at time zone 'UTC'
    - coalesce(substring(read_instant.value from '[+-][0-9]{2}:[0-9]{2}$')::interval, interval '0')
  );
  if v_instant >= '0001-01-01 00:00:00Z' and v_instant < '10000-01-01 00:00:00Z' then
    return v_instant;
  end if;
  return null;
exception
  -- A day that does not exist, such as February 30.
  when datetime_field_overflow then
    return null;
end $$;

comment on function app.read_instant(text) is
  'The time in an ISO 8601 text: YYYY-MM-DD (midnight UTC), or a date and time with Z or an offset, in the years 1 to '
  '9999. Truncated to milliseconds. Null: the text is no such time.';

grant execute on function app.read_instant(text) to leads_exec;
