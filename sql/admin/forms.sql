-- admin.forms - lists forms, for leads forms list.
set local role leads_jobs;

create or replace function admin.forms(organization_id uuid default null)
returns setof api.form language sql stable security definer
begin atomic
  select (i.item).*
  from intake.form as f
  cross join lateral (select intake.form_item(f.organization_id, f.id, null) as item offset 0) as i
  where f.organization_id = forms.organization_id or forms.organization_id is null
  order by f.created_at, f.id;
end;

comment on function admin.forms(uuid) is
  'The forms of an organization, the oldest first, without their addresses. organization_id: null for all organizations.';

grant execute on function admin.forms(uuid) to leads_operator;
