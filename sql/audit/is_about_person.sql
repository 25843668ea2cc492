-- audit.is_about_person - whether a submission contains a person's e-mail address or phone number.
set local role leads_eraser;

create or replace function audit.is_about_person(content jsonb, email text, phone_key text, country_code text)
returns boolean language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_pattern text := '(^|[^a-z0-9.!#$%&*+/=?^_`{|}~-])' || regexp_replace(lower(is_about_person.email), '([^a-z0-9@])', '\\\1', 'g')
    || '($|[^a-z0-9.-]|[.-]($|[^a-z0-9]))';
  v_digits text := right(regexp_replace(is_about_person.phone_key, '[^0-9]', '', 'g'), 9);
  v_text text;
begin
  for v_text in
    select v.value #>> '{}'
    from jsonb_path_query(is_about_person.content, 'strict $.** ? (@.type() == "string" || @.type() == "number")') as v (value)
    union all
    select f.field ->> 'name'
    from jsonb_array_elements(coalesce(is_about_person.content -> 'fields', '[]')) as f (field)
  loop
    -- As an address stands in a query, and in JSON with escapes.
    v_text := replace(replace(v_text, '%40', '@'), '\u0040', '@');
    if
      lower(v_text) ~ v_pattern
      or app.ascii_email(app.clean_text(lower(v_text))) = lower(is_about_person.email)
      or (char_length(v_text) <= 64 and app.phone_key(app.clean_text(v_text), is_about_person.country_code) = is_about_person.phone_key)
      or (
        char_length(v_digits) >= 7
        and exists (
          select
          from regexp_matches(v_text, U&'[0-9][0-9 ()./\00A0\2010\2011\2012\2013-]{5,}[0-9]', 'g') as m (run)
          where right(regexp_replace(m.run[1], '[^0-9]', '', 'g'), 9) = v_digits
        )
      )
    then
      return true;
    end if;
  end loop;
  return false;
end $$;

comment on function audit.is_about_person(jsonb, text, text, text) is
$$Whether a value of the content (intake.submission) contains the e-mail address or the phone number as a whole.

email, phone_key: as app.lead has them; null: it is not searched for. A number is found by its last 9 digits, if it has 7.
country_code: of app.organization.$$;
