-- auth.rotation_faults - the faults of a request to rotate an API key.
set local role leads_auth;

create or replace function auth.rotation_faults(fields jsonb)
returns json language sql immutable parallel safe security invoker
begin atomic
  with fault (field, code, detail) as (
    select f.key, 'unknown_field', 'A rotation has no such field. Leave it out.'
    from jsonb_object_keys(rotation_faults.fields) as f (key)
    where f.key <> 'overlap_hours'
    union all
    select 'overlap_hours', 'out_of_range', 'This must be a whole number from 0 to 168.'
    where not coalesce(
      case jsonb_typeof(rotation_faults.fields -> 'overlap_hours')
        when 'number' then
          (rotation_faults.fields ->> 'overlap_hours')::numeric between 0 and 168
          and (rotation_faults.fields ->> 'overlap_hours')::numeric % 1 = 0
        else rotation_faults.fields -> 'overlap_hours' = 'null'
      end,
      true
    )
  )
  select json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail) order by f.field)
  from fault as f;
end;

comment on function auth.rotation_faults(jsonb) is 'The faults as {field, code, detail}; null: there are none.';

grant execute on function auth.rotation_faults(jsonb) to leads_exec;
