-- admin.add_stage - adds a pipeline stage, for leads organizations stages ID --add NAME.
set local role leads_jobs;

create or replace function admin.add_stage(organization_id uuid, name text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(add_stage.organization_id)).organization_id;
begin
  if app.is_name(add_stage.name) is not true then
    raise sqlstate 'PT422' using
      message = 'invalid_name',
      hint = 'A stage''s name must have 1 to 64 characters from a-z, 0-9, _ and -, and begin with a-z or 0-9.';
  end if;
  insert into app.pipeline_stage (organization_id, name, position)
  select v_organization_id, add_stage.name, coalesce(max(s.position), 0) + 1
  from app.pipeline_stage as s
  where s.organization_id = v_organization_id
  on conflict (organization_id, name) do nothing;
  if not found then
    raise sqlstate 'PT409' using
      message = 'stage_exists',
      hint = format('The organization already has a stage "%s".', add_stage.name);
  end if;
end $$;

comment on function admin.add_stage(uuid, text) is
  'Adds a pipeline stage after the others. Raises PT404 organization_not_found, PT422 invalid_name, PT409 stage_exists.';

grant execute on function admin.add_stage(uuid, text) to leads_operator;
