-- crm.attempt - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('crm.attempt');
call app.check_arrivals('crm.attempt');

create trigger _100_refuse_truncate before truncate on crm.attempt
  for each statement execute function audit.tg_refuse('Attempts can''t be truncated: each may have created a record at the vendor.');

create trigger _110_keep_outcome before update on crm.attempt
  for each row when (old.outcome is not null and old.outcome is distinct from new.outcome)
  execute function audit.tg_refuse('The outcome of an attempt never changes.');
