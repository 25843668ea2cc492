-- app.lead_from - a lead with the fields that a client sends.
set local role leads_owner;

create or replace function app.lead_from(fields jsonb, base app.lead_values)
returns app.lead_values
language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_fields jsonb;
begin
  select jsonb_object_agg(
    f.key,
    case jsonb_typeof(f.value)
      when 'string' then to_jsonb(
        case f.key
          when 'email' then app.ascii_email(app.clean_text(f.value #>> '{}'))
          else app.clean_text(f.value #>> '{}')
        end
      )
      -- 87.0 is 87: the text "87.0" is no integer.
      when 'number' then to_jsonb(f.value::integer)
      when 'object' then app.changed_details((lead_from.base).details, f.value)
      else f.value
    end
  )
  into v_fields
  from jsonb_each(lead_from.fields) as f;
  return jsonb_populate_record(lead_from.base, coalesce(v_fields, '{}'));
end $$;

comment on function app.lead_from(jsonb, app.lead_values) is
$$The lead base, changed by the fields that a client sends.

fields: a JSON object without faults (app.lead_faults). White space and invisible characters at the ends of
texts are removed, and the domain of the email is converted to ASCII. A field that is left out keeps the value of base;
null clears it. details are changed member by member (app.changed_details).$$;

grant execute on function app.lead_from(jsonb, app.lead_values) to leads_exec, leads_intake, leads_jobs;
