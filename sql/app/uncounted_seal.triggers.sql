-- app.uncounted_seal - the trigger that protects the table.
set local role leads_owner;
call app.drop_triggers('app.uncounted_seal');

create trigger _100_refuse_truncate before truncate on app.uncounted_seal
  for each statement execute function audit.tg_refuse('The seals that leave the queue would not be counted.');
