-- admin.placement - where this cell stands in the move of an organization.
set local role leads_jobs;

create or replace function admin.placement(organization_id uuid)
returns text language sql stable security definer
begin atomic
  select coalesce(
    (select p.state from app.placement as p where p.organization_id = placement.organization_id),
    (select 'here' from app.organization as o where o.organization_id = placement.organization_id),
    'absent'
  );
end;

comment on function admin.placement(uuid) is
$$here: this cell has the organization, and no move has begun. absent: it does not. Otherwise the state of the move:

copying, draining and moving at the source before it has given the organization up, moved afterwards; arriving at the target
before it has taken the organization over.$$;

grant execute on function admin.placement(uuid) to leads_operator;
