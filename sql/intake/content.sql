-- intake.content - what a sender has sent, in the form in which it is kept.
set local role leads_owner;

create or replace function intake.content(payload text, media_type text)
returns jsonb language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := content.payload;
  v_body jsonb;
  v_is_form boolean := content.media_type in ('application/x-www-form-urlencoded', 'multipart/form-data');
begin
  -- Reading takes time for each value. A form of people has far fewer.
  if
    octet_length(v_text) - octet_length(translate(v_text, '[{', '')) > 1000
    or octet_length(v_text) - octet_length(replace(v_text, ',', '')) > 5000
  then
    return jsonb_build_object('media_type', content.media_type, 'text', v_text, 'fault', 'too_many_values');
  end if;
  begin
    v_body := v_text::jsonb;
  exception
    when data_exception or statement_too_complex then
      return jsonb_build_object('media_type', content.media_type, 'text', v_text, 'fault', 'not_json');
  end;
  if v_is_form then
    return jsonb_build_object('media_type', content.media_type, 'fields', v_body);
  end if;
  -- Some tools send an array with one object.
  if jsonb_typeof(v_body) = 'array' and jsonb_array_length(v_body) = 1 then
    v_body := v_body -> 0;
  end if;
  if jsonb_typeof(v_body) <> 'object' then
    return jsonb_build_object('media_type', content.media_type, 'text', v_text, 'fault', 'not_an_object');
  end if;
  return jsonb_build_object('media_type', content.media_type, 'body', v_body);
end $$;

comment on function intake.content(text, text) is
$$What a sender has sent: media_type, and fields (of a form), body (a JSON object) or text (anything else, with its fault).

payload: the body, or the fields of a form as the server makes them (app/server/payload.py). It fails for no payload.$$;

grant execute on function intake.content(text, text) to leads_intake, leads_jobs;
