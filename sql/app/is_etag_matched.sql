-- app.is_etag_matched - whether an If-Match header permits a change.
set local role leads_owner;

create or replace function app.is_etag_matched(if_match text, etag text)
returns boolean language sql immutable parallel safe
begin atomic
  -- A weak tag never matches: its W/ stays in front of it.
  select
    is_etag_matched.if_match is null
    or btrim(is_etag_matched.if_match, E' \t') = '*'
    or exists (
      select from regexp_matches(is_etag_matched.if_match, '(?:W/)?"[^"]*"', 'g') as t (tag)
      where t.tag[1] = is_etag_matched.etag
    );
end;

comment on function app.is_etag_matched(text, text) is
  'Whether If-Match (RFC 9110, section 13.1.1), a list of entity tags or *, matches the tag of the record. True if '
  'if_match is null. The comparison is strong: a weak tag never matches.';

grant execute on function app.is_etag_matched(text, text) to leads_exec;
