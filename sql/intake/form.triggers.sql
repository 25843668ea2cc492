-- intake.form - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('intake.form');

create trigger _100_refuse_truncate before truncate on intake.form
  for each statement execute function audit.tg_refuse('Use "leads forms revoke", which records each change.');

create trigger _120_keep_identity before update on intake.form
  for each row
  when (
    (old.organization_id, old.id, old.key_id, old.created_at)
    is distinct from (new.organization_id, new.id, new.key_id, new.created_at)
  )
  execute function audit.tg_refuse('organization_id, id, key_id and created_at never change.');

create trigger _900_record after insert or update or delete on intake.form
  for each row execute function audit.tg_record('form', 'id');
