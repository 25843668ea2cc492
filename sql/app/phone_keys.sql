-- app.phone_keys - the keys of the leads that a phone number finds.
set local role leads_owner;

create or replace function app.phone_keys(value text, organization_id uuid)
returns text[] language sql stable parallel safe
begin atomic
  select array[
    app.phone_key(app.clean_text(phone_keys.value), o.country_code),
    -- In a query, a plus sign that is not percent-encoded arrives as a space.
    app.phone_key('+' || substring(phone_keys.value from '^\(? ([( ]*[0-9].*)$'), o.country_code)
  ]
  from app.organization as o
  where o.organization_id = phone_keys.organization_id;
end;

comment on function app.phone_keys(text, uuid) is
  'The one or two keys (app.phone_key) of a phone number that someone looks for, and null. A space before it may stand for '
  'a plus sign.';

grant execute on function app.phone_keys(text, uuid) to leads_exec, leads_jobs;
