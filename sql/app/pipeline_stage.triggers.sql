-- app.pipeline_stage - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('app.pipeline_stage');
call app.check_arrivals('app.pipeline_stage');

create trigger _500_keep_new before delete on app.pipeline_stage
  for each row when (old.name = 'new' and current_user <> 'leads_eraser')
  execute function app.tg_pipeline_stage__keep_new();

create trigger _510_keep_new before update on app.pipeline_stage
  for each row when (old.name = 'new' and new.name <> 'new') execute function app.tg_pipeline_stage__keep_new();

create trigger _120_keep_identity before update on app.pipeline_stage
  for each row when (old.organization_id is distinct from new.organization_id)
  execute function audit.tg_refuse('organization_id never changes.');

create trigger _900_record after insert or update or delete on app.pipeline_stage
  for each row execute function audit.tg_record('pipeline_stage', 'name');
