-- scoring.clean_value - the value of a signal as it is stored.
set local role leads_owner;

create or replace function scoring.clean_value(value jsonb)
returns jsonb language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(clean_value.value) = 'object' then
    return (
      select coalesce(
        jsonb_object_agg(
          m.key, case jsonb_typeof(m.value) when 'string' then to_jsonb(app.clean_text(m.value #>> '{}')) else m.value end
        ),
        '{}'
      )
      from jsonb_each(clean_value.value) as m (key, value)
    );
  end if;
  return case jsonb_typeof(clean_value.value)
    when 'string' then to_jsonb(app.clean_text(clean_value.value #>> '{}'))
    else clean_value.value
  end;
end $$;

comment on function scoring.clean_value(jsonb) is
  'The value of a signal with its texts as app.clean_text stores them. Null for null.';

grant execute on function scoring.clean_value(jsonb) to leads_exec, leads_intake, leads_jobs;
