-- scoring.model - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('scoring.model');
call app.check_arrivals('scoring.model');

create trigger _100_refuse_truncate before truncate on scoring.model
  for each statement execute function audit.tg_refuse('Models can''t be truncated: the history of scores refers to them.');

create trigger _120_keep_version before update on scoring.model
  for each row
  when ((old.organization_id, old.version, old.created_at) is distinct from (new.organization_id, new.version, new.created_at))
  execute function audit.tg_refuse('organization_id, version and created_at never change.');

create trigger _130_keep_active before update on scoring.model
  for each row
  when (old.state <> 'draft' and (new.state = 'draft' or old.document is distinct from new.document))
  execute function audit.tg_refuse('A version that was active never changes: create a new draft.');

create trigger _140_keep_history before delete on scoring.model
  for each row when (old.state <> 'draft' and current_user <> 'leads_eraser')
  execute function audit.tg_refuse('A version that was active can''t be deleted: the history of scores refers to it.');

create trigger _900_record after insert or update or delete on scoring.model
  for each row execute function audit.tg_record('scoring_model', 'version');
