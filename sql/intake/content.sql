-- intake.content - what a sender has sent, in the form in which it is kept.
set local role leads_owner;

create or replace function intake.content(payload text, media_type text, query text default null)
returns jsonb language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := content.payload;
  v_body jsonb;
  v_fault text;
  v_query jsonb := nullif(nullif(content.query, '')::jsonb, '[]');
  v_content jsonb;
begin
  begin
    -- Reading takes time for each value. A form of people has far fewer.
    if octet_length(v_text) - octet_length(translate(v_text, '[{', '')) > 1200 then
      v_fault := 'too_many_values';
    else
      v_body := v_text::jsonb;
    end if;
  exception
    when data_exception or program_limit_exceeded then
      v_fault := 'not_json';
  end;
  if v_fault is null then
    -- Some tools send an array with one object.
    if
      jsonb_typeof(v_body) = 'array' and jsonb_array_length(v_body) = 1
      and content.media_type not in ('application/x-www-form-urlencoded', 'multipart/form-data')
    then
      v_body := v_body -> 0;
    end if;
    v_fault := case
      -- The digits of 1e131071 would be written out.
      when v_body @? 'strict $.** ? (@.type() == "number" && (@ > 1e40 || @ < -1e40))' then 'number_too_large'
      when (
        select count(*) > 500
        from jsonb_path_query(v_body, 'strict $.** ? (@.type() != "object" && @.type() != "array")') as v (value)
      ) and jsonb_typeof(v_body) = 'object' then 'too_many_values'
      when jsonb_typeof(v_body) = 'object' then null
      when
        jsonb_typeof(v_body) = 'array'
        and content.media_type in ('application/x-www-form-urlencoded', 'multipart/form-data')
      then case when jsonb_array_length(v_body) > 500 then 'too_many_values' end
      else 'not_an_object'
    end;
  end if;
  v_content := case
    when v_fault is not null then jsonb_build_object('text', v_text, 'fault', v_fault)
    when jsonb_typeof(v_body) = 'object' then jsonb_build_object('body', v_body)
    else jsonb_build_object('fields', v_body)
  end;
  return jsonb_build_object('media_type', content.media_type) || v_content
    || case when v_query is not null then jsonb_build_object('query', v_query) else '{}' end;
end $$;

comment on function intake.content(text, text, text) is
$$What a sender has sent: media_type, and body (a JSON object), fields (of a form) or text (anything else, with its fault), and
query.

payload: the body, or the fields of a form as the server makes them (app/server/payload.py). query: the fields of the query, as
JSON; null or empty: none. It fails for no payload.$$;

grant execute on function intake.content(text, text, text) to leads_intake, leads_jobs;
