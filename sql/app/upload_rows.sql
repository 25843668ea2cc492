-- app.upload_rows - the rows of an upload, each as JSON text.
set local role leads_owner;

create or replace function app.upload_rows(body text, media_type text)
returns text[] language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_most integer := 10000;
  v_rows text[];
begin
  -- Counted before they are read: 16 MiB can have eight million rows.
  if upload_rows.media_type = 'application/x-ndjson' then
    if octet_length(upload_rows.body) - octet_length(replace(upload_rows.body, chr(10), '')) <= 2 * v_most then
      v_rows := array(
        select l.line
        from string_to_table(upload_rows.body, chr(10)) with ordinality as l (line, position)
        where btrim(l.line, E' \t\r') <> ''
        order by l.position
      );
    end if;
  -- The server sends CSV as an array too. Not jsonb: an array of numbers would need 30 times its size.
  elsif json_typeof(upload_rows.body::json) <> 'array' then
    perform app.raise_faults(400, 'invalid_body', json_build_array(json_build_object(
      'field', 'body', 'code', 'not_an_array', 'detail', 'The body must be a JSON array with an object for each lead.'
    )));
  elsif json_array_length(upload_rows.body::json) <= v_most then
    v_rows := array(
      select e.value::text
      from json_array_elements(upload_rows.body::json) with ordinality as e (value, position)
      order by e.position
    );
  end if;
  if v_rows is null or cardinality(v_rows) > v_most then
    perform app.raise_faults(422, 'validation_failed', json_build_array(json_build_object(
      'field', 'body', 'code', 'too_many', 'detail', 'An upload can have at most 10,000 rows. Send several uploads.'
    )));
  end if;
  return v_rows;
end $$;

comment on function app.upload_rows(text, text) is
$$The rows of the body of POST /leads/bulk, as JSON texts that have not been checked.

media_type: application/json, text/csv (which the server has turned into a JSON array of objects of texts) or
application/x-ndjson, whose empty lines are left out.
Raises PT400 invalid_body if the body is no array, 22P02 if it is not valid JSON, and PT422 validation_failed if it has more than
10,000 rows, or 20,000 lines.$$;

grant execute on function app.upload_rows(text, text) to leads_exec;
