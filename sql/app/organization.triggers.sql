-- app.organization - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('app.organization');
call app.check_arrivals('app.organization');

create trigger _500_add_pipeline_stages after insert on app.organization
  for each row execute function app.tg_organization__add_pipeline_stages();

create trigger _120_keep_identity before update on app.organization
  for each row when ((old.organization_id, old.created_at) is distinct from (new.organization_id, new.created_at))
  execute function audit.tg_refuse('organization_id and created_at never change.');

create trigger _900_record after insert or update or delete on app.organization
  for each row execute function audit.tg_record('organization', 'organization_id');
