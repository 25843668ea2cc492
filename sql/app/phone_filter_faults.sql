-- app.phone_filter_faults - the phone numbers and references in filters that no lead can have.
set local role leads_owner;

create or replace function app.phone_filter_faults(phones text[], "references" text[])
returns json language sql immutable parallel safe
begin atomic
  with fault as (
    select json_build_object('field', 'phone', 'code', 'invalid_phone', 'detail', format(
      'No lead can have the phone "%s". Send a number with 3 to 20 digits, such as +15550100199.', left(p.value, 100)
    ))
    from unnest(phone_filter_faults.phones) as p (value)
    where not app.is_phone(app.read_phone(p.value))
    union all
    select json_build_object('field', 'reference', 'code', 'too_long', 'detail', format(
      'No lead can have the reference "%s". A reference has 1 to 255 characters.', left(r.value, 100)
    ))
    from unnest(phone_filter_faults."references") as r (value)
    where not app.is_text(app.clean_text(r.value), 255)
  )
  select json_agg(f.fault) from fault as f (fault);
end;

comment on function app.phone_filter_faults(text[], text[]) is
  'A field error for each phone number or reference that no lead can have. Null: there is none.';

grant execute on function app.phone_filter_faults(text[], text[]) to leads_exec;
