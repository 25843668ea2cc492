-- crm.attempt - the triggers of the table.
set local role leads_owner;

call app.drop_triggers('crm.attempt');

create trigger _100_refuse_truncate before truncate on crm.attempt
  for each statement execute function audit.tg_refuse('An attempt that is forgotten may have made a record.');

create trigger _110_keep_outcome before update on crm.attempt
  for each row when (old.outcome is not null and old.outcome is distinct from new.outcome)
  execute function audit.tg_refuse('What became of an attempt never changes.');
