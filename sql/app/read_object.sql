-- app.read_object - a request's body, which is a JSON object.
set local role leads_owner;

create or replace function app.read_object(body text)
returns jsonb
language plpgsql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- What is no JSON, or holds a NUL, a lone surrogate or endless nesting, fails here: api.problem knows the SQLSTATEs.
  v_object jsonb := read_object.body::jsonb;
begin
  if jsonb_typeof(v_object) <> 'object' then
    perform app.raise_faults(400, 'invalid_body', json_build_array(json_build_object(
      'field', 'body', 'code', 'not_an_object', 'detail', 'The body must be a JSON object.'
    )));
  end if;
  -- Almost every body is flat: it gives no key twice where jsonb has kept as many as came.
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
        'field', left(k.key, 100), 'code', 'duplicate_key', 'detail', 'The body gives this key twice.'
      ) order by k.key)
      from app.duplicate_keys(read_object.body::json) as k (key)
    ));
  end if;
  return v_object;
end
$$;

comment on function app.read_object(text) is
  'The body as jsonb. Raises PT400 invalid_body where it is no object or gives a key twice (RFC 8259, section 4), and
  54001 where a value stands in more than 32 objects and arrays.';

grant execute on function app.read_object(text) to leads_exec;
