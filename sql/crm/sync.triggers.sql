-- crm.sync - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('crm.sync');
call app.check_arrivals('crm.sync');

create trigger _100_refuse_truncate before truncate on crm.sync
  for each statement execute function audit.tg_refuse('Syncs can''t be truncated: their leads would be pushed a second time.');

create trigger _110_keep_identity before update on crm.sync
  for each row
  when (
    (old.organization_id, old.id, old.lead_id, old.vendor, old.account)
    is distinct from (new.organization_id, new.id, new.lead_id, new.vendor, new.account)
  )
  execute function audit.tg_refuse('organization_id, id, lead_id, vendor and account never change.');

create trigger _120_keep_outcome before update on crm.sync
  for each row
  when (old.status = 'ok' and (old.status, old.external_id) is distinct from (new.status, new.external_id))
  execute function audit.tg_refuse('A sync that is ok keeps its record: otherwise a second record would be created.');

create trigger _130_count_up before update on crm.sync
  for each row when (new.attempts < old.attempts)
  execute function audit.tg_refuse('attempts is the fencing token and never decreases.');

-- Only a new attempt takes a lease. A worker that holds a lease can only renew it.
create trigger _140_lease_by_attempt before update on crm.sync
  for each row
  when (new.status = 'in_progress' and old.status <> 'in_progress' and new.attempts = old.attempts)
  execute function audit.tg_refuse('A lease is a new attempt: increment attempts.');

create trigger _900_record after insert or update or delete on crm.sync
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_sync__record();
