-- intake.form_answer - the response to a submission, which says nothing about the lead.
set local role leads_owner;

create or replace function intake.form_answer(redirect_url text, origins text[], headers jsonb, media_type text)
returns api.answer language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- A script that sends a form asks for JSON. It would follow a redirect to a page of another origin, and fail.
  v_is_redirected boolean := form_answer.redirect_url is not null
    and form_answer.media_type in ('application/x-www-form-urlencoded', 'multipart/form-data')
    and coalesce(form_answer.headers ->> 'accept', '') not like '%application/json%';
begin
  return row(
    case when v_is_redirected then 303 else 200 end,
    json_strip_nulls(json_build_object(
      'Access-Control-Allow-Origin', intake.allowed_origin(form_answer.origins, form_answer.headers),
      'Location', case when v_is_redirected then form_answer.redirect_url end,
      'Vary', 'Origin'
    )),
    case when not v_is_redirected then '{"status":"received"}' end
  );
end $$;

comment on function intake.form_answer(text, text[], jsonb, text) is
  'The response to a submission: 303 to redirect_url for a form of a web page, otherwise {"status": "received"}.';

grant execute on function intake.form_answer(text, text[], jsonb, text) to leads_intake;
