-- app.stage_filter_faults - the stages in a filter that the organization doesn't have.
set local role leads_owner;

create or replace function app.stage_filter_faults(organization_id uuid, stages text[])
returns json language sql stable parallel safe
begin atomic
  select json_agg(json_build_object(
    'field', 'pipeline_stage',
    'code', 'unknown_stage',
    'detail', format(
      'There is no pipeline stage "%s" in this organization. The stages are: %s.',
      left(s.name, 100), app.stage_names(stage_filter_faults.organization_id)
    ) || app.character_note(s.name)
  ))
  from unnest(stage_filter_faults.stages) as s (name)
  where not exists (
    select from app.pipeline_stage as p
    where p.organization_id = stage_filter_faults.organization_id and p.name = s.name
  );
end;

comment on function app.stage_filter_faults(uuid, text[]) is
  'A field error for each stage that the organization doesn''t have. Null: it has all of them.';

grant execute on function app.stage_filter_faults(uuid, text[]) to leads_exec, leads_jobs;
