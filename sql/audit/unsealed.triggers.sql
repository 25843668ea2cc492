-- audit.unsealed - the trigger that protects the queue of events without a seal.
set local role leads_owner;
call app.drop_triggers('audit.unsealed');

create trigger _100_refuse_truncate before truncate on audit.unsealed
  for each statement execute function audit.tg_refuse('An event that leaves the queue without a seal never gets one.');
