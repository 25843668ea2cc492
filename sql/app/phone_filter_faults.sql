-- app.phone_filter_faults - the phone number and the reference in filters that no lead can have.
set local role leads_owner;

create or replace function app.phone_filter_faults(phone text, reference text)
returns json language sql immutable parallel safe
begin atomic
  with fault (field, code, detail) as (
    select 'phone', 'invalid_phone', format(
      'No lead can have the phone "%s". Send a number with 3 to 20 digits, such as +15550100199.',
      left(phone_filter_faults.phone, 100)
    )
    where
      not app.is_phone(app.clean_text(phone_filter_faults.phone))
      or app.control_character(phone_filter_faults.phone) is not null
    union all
    select
      'reference',
      case
        when app.control_character(r.text) is not null then 'control_character'
        when r.text = '' then 'blank'
        else 'too_long'
      end,
      format(
        'No lead can have the reference "%s". A reference has 1 to 255 characters, and no control characters.',
        left(phone_filter_faults.reference, 100)
      )
    from (select app.clean_text(phone_filter_faults.reference) as text) as r
    where not app.is_text(r.text, 255) or app.control_character(r.text) is not null
  )
  select json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail)) from fault as f;
end;

comment on function app.phone_filter_faults(text, text) is
  'A field error for a phone number, and one for a reference, that no lead can have. Null: there is none.';

grant execute on function app.phone_filter_faults(text, text) to leads_exec, leads_jobs;
