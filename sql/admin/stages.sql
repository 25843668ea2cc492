-- admin.stages - lists an organization's pipeline stages, for leads organizations stages ID.
set local role leads_jobs;

create or replace function admin.stages(organization_id uuid)
returns table ("position" integer, name text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(stages.organization_id);
  return query
  select s.position, s.name
  from app.pipeline_stage as s
  where s.organization_id = stages.organization_id
  order by s.position, s.name;
end $$;

comment on function admin.stages(uuid) is 'The organization''s pipeline stages in their order. Raises PT404 organization_not_found.';

grant execute on function admin.stages(uuid) to leads_operator;
