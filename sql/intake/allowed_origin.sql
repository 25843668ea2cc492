-- intake.allowed_origin - the origin that may read the response of a form.
set local role leads_owner;

create or replace function intake.allowed_origin(origins text[], headers jsonb)
returns text language sql immutable parallel safe
begin atomic
  select case
    when cardinality(allowed_origin.origins) = 0 then '*'
    when allowed_origin.headers ->> 'origin' = any (allowed_origin.origins) then allowed_origin.headers ->> 'origin'
  end;
end;

comment on function intake.allowed_origin(text[], jsonb) is
  'The origin of the page that sends the request, if it is one of the form''s origins; * if the form has none; else null. '
  'headers: by name in lower case.';

grant execute on function intake.allowed_origin(text[], jsonb) to leads_intake;
