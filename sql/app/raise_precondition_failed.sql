-- app.raise_precondition_failed - refuses a change whose If-Match does not match.
set local role leads_owner;

create or replace function app.raise_precondition_failed(if_match text)
returns void language plpgsql immutable security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  -- A tag that a proxy has altered does not show that the record has changed.
  raise sqlstate 'PT412' using message = 'precondition_failed', hint = case
    when raise_precondition_failed.if_match ~ 'W/"' then
      'If-Match contains a weak tag (W/"…"), and a weak tag never matches, even if the record has not changed. Send the '
      'ETag as the API sets it. A proxy that compresses responses makes tags weak: with nginx, set gzip off.'
    when raise_precondition_failed.if_match ~ '-[a-z]+"' then
      'If-Match contains a tag that the API did not set, with a suffix such as -gzip. A proxy that compresses '
      'responses adds it: with Apache, set DeflateAlterETag NoChange.'
    else ''
  end;
end $$;

comment on function app.raise_precondition_failed(text) is
  'Raises PT412 precondition_failed. The hint names the proxy that has probably altered the tag, if one has.';

grant execute on function app.raise_precondition_failed(text) to leads_exec;
