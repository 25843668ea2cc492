-- app.is_time_zone - whether the server knows a time zone.
set local role leads_owner;

create or replace function app.is_time_zone(name text)
returns boolean language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp
as $$
begin
  perform timestamptz 'epoch' at time zone is_time_zone.name;
  return true;
exception when invalid_parameter_value then
  return false;
end $$;

comment on function app.is_time_zone(text) is
$$Whether the server knows a time zone by this name. An upgrade or a restore can take away the name that an organization has.

In contrast to pg_timezone_names, it does not read all files of time zones.$$;

grant execute on function app.is_time_zone(text) to leads_jobs;
