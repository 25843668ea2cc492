-- app.changed_details - details, changed by those that a client sends.
set local role leads_owner;

create or replace function app.changed_details(base jsonb, patch jsonb)
returns jsonb language sql immutable parallel safe security invoker
begin atomic
  select nullif(
    coalesce(changed_details.base - coalesce(array_agg(m.key), '{}'), '{}')
    || coalesce(
      jsonb_object_agg(
        m.key,
        case jsonb_typeof(m.value) when 'string' then to_jsonb(app.clean_text(m.value #>> '{}')) else m.value end
      ) filter (where m.value <> 'null'),
      '{}'
    ),
    '{}'
  )
  from jsonb_each(changed_details.patch) as m (key, value);
end;

comment on function app.changed_details(jsonb, jsonb) is
$$The details base, changed by patch as a merge patch (RFC 7396): null removes a member. Null: no member is left.

base: details, or null. patch: a JSON object without faults (app.details_faults), or {}. Invisible characters at the ends of texts
are removed.$$;

grant execute on function app.changed_details(jsonb, jsonb) to leads_exec, leads_intake, leads_jobs;
