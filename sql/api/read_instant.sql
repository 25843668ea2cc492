-- api.read_instant - reads a parameter that is a time, for the API server.
set local role leads_exec;

create or replace function api.read_instant(value text)
returns timestamptz language plpgsql stable strict security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_instant timestamptz := app.read_instant(read_instant.value);
begin
  if v_instant is null then
    raise check_violation using constraint = 'instant_is_date_or_has_offset';
  end if;
  return v_instant;
end $$;

comment on function api.read_instant(text) is
$$The time in a text, as app.read_instant reads it.

Raises check_violation with the constraint instant_is_date_or_has_offset, as a domain does, if the text is no time. Null for
null.$$;

grant execute on function api.read_instant(text) to leads_api;
