-- app.read_object - reads the body of a request, a JSON object.
set local role leads_owner;
-- PostgreSQL 15 doesn't know the syntax of the branch for 16.
set local check_function_bodies = off;

create or replace function app.read_object(body text)
returns jsonb language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_brackets integer := octet_length(read_object.body)
    - octet_length(replace(replace(read_object.body, '[', ''), '{', ''));
  v_without_texts text;
  v_object jsonb;
  v_is_unique boolean;
begin
  -- Before 16, PostgreSQL can't tell whether a key occurs twice.
  if v_brackets > 500 or (v_brackets > 1 and current_setting('server_version_num')::integer < 160000) then
    -- The parts between quotes are alternately outside and inside of a text, after escaped
    -- backslashes and quotes are removed.
    v_without_texts := (
      select string_agg(p.part, '')
      from string_to_table(replace(replace(read_object.body, '\\', ''), '\"', ''), '"') with ordinality as p (part, position)
      where p.position % 2 = 1
    );
    if octet_length(v_without_texts) - octet_length(replace(replace(v_without_texts, '[', ''), '{', '')) > 500 then
      -- Text that is not JSON is reported as such. The cast to json costs less than one to jsonb.
      perform read_object.body::json;
      raise statement_too_complex;
    end if;
  end if;
  -- Fails for invalid JSON, a NUL, a lone surrogate or deep nesting: see SQLSTATEs in api.problem.
  v_object := read_object.body::jsonb;
  if jsonb_typeof(v_object) <> 'object' then
    perform app.raise_faults(400, 'invalid_body', json_build_array(json_build_object(
      'field', 'body', 'code', 'not_an_object', 'detail', 'The body must be a JSON object.'
    )));
  end if;
  if v_brackets > 32 and jsonb_path_exists(v_object, 'strict $.**{33}') then
    raise statement_too_complex;
  end if;
  if current_setting('server_version_num')::integer >= 160000 then
    v_is_unique := (read_object.body is json with unique keys);
  elsif v_brackets = 1 then
    -- A flat object. jsonb has each key once.
    v_is_unique := (select count(*) from json_object_keys(read_object.body::json))
      = (select count(*) from jsonb_object_keys(v_object));
  else
    -- Outside of texts, each colon follows a key.
    v_is_unique := octet_length(v_without_texts) - octet_length(replace(v_without_texts, ':', '')) = (
      select sum((select count(*) from jsonb_object_keys(o.object)))
      from jsonb_path_query(v_object, 'strict $.** ? (@.type() == "object")') as o (object)
    );
  end if;
  if not v_is_unique then
    perform app.raise_faults(400, 'invalid_body', (
      select coalesce(json_agg(f.fault order by f.field), json_build_array(json_build_object(
        'field', 'body', 'code', 'duplicate_key', 'detail', 'A nested object in the body has a key more than once.'
      )))
      from (
        select
          left(k.key, 100) as field,
          json_build_object(
            'field', left(k.key, 100), 'code', 'duplicate_key', 'detail', 'The body has this key more than once.'
          ) as fault
        from app.duplicate_keys(read_object.body::json) as k (key)
      ) as f
    ));
  end if;
  return v_object;
end $$;

set local check_function_bodies = on;

comment on function app.read_object(text) is
  'The body as jsonb. Raises PT400 invalid_body if it is no object or has a key twice (RFC 8259, section 4), and '
  '54001 if a value is nested in more than 32 objects and arrays, or if there are more than 500 of them.';

grant execute on function app.read_object(text) to leads_exec, leads_jobs;
