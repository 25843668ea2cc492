-- auth.rotation_overlap - reads the body of a request to rotate an API key or the secret of a webhook.
set local role leads_auth;

create or replace function auth.rotation_overlap(body text)
returns interval language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_fields jsonb := app.read_object(rotation_overlap.body);
begin
  perform app.raise_faults(422, 'validation_failed', (
    select json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail) order by f.field)
    from (
      select f.key, 'unknown_field', 'A rotation has no such field. Leave it out.'
      from jsonb_object_keys(v_fields) as f (key)
      where f.key <> 'overlap_hours'
      union all
      select 'overlap_hours', 'out_of_range', 'This must be a whole number from 0 to 168.'
      where not coalesce(
        case jsonb_typeof(v_fields -> 'overlap_hours')
          when 'number' then
            (v_fields ->> 'overlap_hours')::numeric between 0 and 168
            and (v_fields ->> 'overlap_hours')::numeric % 1 = 0
          else v_fields -> 'overlap_hours' = 'null'
        end,
        true
      )
    ) as f (field, code, detail)
  ));
  return make_interval(hours => coalesce((v_fields ->> 'overlap_hours')::numeric::integer, 24));
end $$;

comment on function auth.rotation_overlap(text) is
  'For how long the old key or secret stays valid, 24 hours by default. Raises PT400 invalid_body and PT422 validation_failed.';

grant execute on function auth.rotation_overlap(text) to leads_exec;
