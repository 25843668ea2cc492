-- admin.remove_stage - removes a pipeline stage, for leads organizations stages ID --remove NAME.
set local role leads_jobs;

create or replace function admin.remove_stage(organization_id uuid, name text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(remove_stage.organization_id)).organization_id;
  v_constraint text;
begin
  delete from app.pipeline_stage as s
  where s.organization_id = v_organization_id and s.name = remove_stage.name;
  if not found then
    raise sqlstate 'PT404' using
      message = 'stage_not_found',
      hint = format('The organization has no stage "%s".', remove_stage.name);
  end if;
exception
  when foreign_key_violation then
    get stacked diagnostics v_constraint = constraint_name;
    if v_constraint = 'connection_push_stage_exists' then
      raise sqlstate 'PT409' using message = 'stage_pushes', hint = format(
        'A lead that enters "%s" is pushed to the CRM. First run leads crm connect with another --push-stage.',
        remove_stage.name
      );
    end if;
    raise sqlstate 'PT409' using
      message = 'stage_has_leads',
      hint = format('The stage "%s" has leads. First move them to another stage.', remove_stage.name);
end $$;

comment on function admin.remove_stage(uuid, text) is
  'Removes a pipeline stage. Raises PT404 organization_not_found and stage_not_found, PT409 stage_has_leads, '
  'stage_pushes and stage_new_is_needed.';

grant execute on function admin.remove_stage(uuid, text) to leads_operator;
