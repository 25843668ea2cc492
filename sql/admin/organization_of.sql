-- admin.organization_of - finds the organization of an id that an operator names, for the choice of the cell.
set local role leads_jobs;

create or replace function admin.organization_of(id uuid)
returns uuid language sql stable security definer
begin atomic
  select r.organization_id
  from admin.routed_credentials(
    null,
    null,
    array(
      -- The organization isn't known before the row is found.
      select o.organization_id from app.organization as o where o.organization_id = organization_of.id
      union all
      select k.organization_id from auth.api_key as k where k.id = organization_of.id
      union all
      select f.organization_id from intake.form as f where f.id = organization_of.id
      union all
      select p.organization_id from webhook.endpoint as p where p.id = organization_of.id
    )
  ) as r
  limit 1;
end;

comment on function admin.organization_of(uuid) is
  'The organization with this id, or of the key, the form or the webhook with it; null if this cell does not answer for it.';

grant execute on function admin.organization_of(uuid) to leads_operator;
