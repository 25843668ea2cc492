-- scoring.signal - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('scoring.signal');
call app.check_arrivals('scoring.signal');

create trigger _100_refuse_truncate before truncate on scoring.signal
  for each statement execute function audit.tg_refuse('Delete signals with DELETE, so that each is recorded.');

create trigger _120_keep_identity before update on scoring.signal
  for each row
  when (
    (old.organization_id, old.id, old.lead_id, old.created_at)
    is distinct from (new.organization_id, new.id, new.lead_id, new.created_at)
  )
  execute function audit.tg_refuse('organization_id, id, lead_id and created_at never change.');

create trigger _900_record after insert or update or delete on scoring.signal
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_signal__record();
