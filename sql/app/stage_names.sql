-- app.stage_names - the organization's stages, for the error of an unknown stage.
set local role leads_owner;

create or replace function app.stage_names(organization_id uuid)
returns text language sql stable parallel safe
begin atomic
  select string_agg(s.name, ', ' order by s.position)
  from (
    select p.name, p.position
    from app.pipeline_stage as p
    where p.organization_id = stage_names.organization_id
    order by p.position
    limit 50
  ) as s;
end;

comment on function app.stage_names(uuid) is 'The first 50 pipeline stages of the organization, in their order, separated by commas.';

grant execute on function app.stage_names(uuid) to leads_exec, leads_intake, leads_jobs;
