-- app.country_code - the calling code of an organization's phone numbers.
set local role leads_owner;

create or replace function app.country_code(organization_id uuid)
returns text language sql stable parallel safe
begin atomic
  select o.country_code from app.organization as o where o.organization_id = country_code.organization_id;
end;

comment on function app.country_code(uuid) is
  'The calling code of the organization''s phone numbers that have none, 1 to 3 digits. Null: it is not known.';

grant execute on function app.country_code(uuid) to leads_exec, leads_jobs, leads_intake;
