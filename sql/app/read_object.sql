-- app.read_object - reads the body of a request, a JSON object.
set local role leads_owner;

create or replace function app.read_object(body text)
returns jsonb language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- Fails for invalid JSON, a NUL, a lone surrogate or deep nesting: see SQLSTATEs in api.problem.
  v_object jsonb := read_object.body::jsonb;
begin
  if jsonb_typeof(v_object) <> 'object' then
    perform app.raise_faults(400, 'invalid_body', json_build_array(json_build_object(
      'field', 'body', 'code', 'not_an_object', 'detail', 'The body must be a JSON object.'
    )));
  end if;
  -- Almost every body is flat: no key occurs twice if jsonb has as many keys as json.
  if
    jsonb_path_exists(v_object, '$.* ? (@.type() == "object" || @.type() == "array")')
    or (select count(*) from json_object_keys(read_object.body::json))
      <> (select count(*) from jsonb_object_keys(v_object))
  then
    if jsonb_path_exists(v_object, 'strict $.**{33}') then
      raise statement_too_complex;
    end if;
    perform app.raise_faults(400, 'invalid_body', (
      select json_agg(json_build_object(
        'field', left(k.key, 100), 'code', 'duplicate_key', 'detail', 'The body has this key more than once.'
      ) order by k.key)
      from app.duplicate_keys(read_object.body::json) as k (key)
    ));
  end if;
  return v_object;
end $$;

comment on function app.read_object(text) is
  'The body as jsonb. Raises PT400 invalid_body if it is no object or has a key twice (RFC 8259, section 4), and
  54001 if a value is nested in more than 32 objects and arrays.';

grant execute on function app.read_object(text) to leads_exec;
