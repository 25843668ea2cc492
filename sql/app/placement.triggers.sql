-- app.placement - the trigger that protects the table.
set local role leads_owner;
call app.drop_triggers('app.placement');

create trigger _100_refuse_truncate before truncate on app.placement
  for each statement execute function audit.tg_refuse('Without its rows, two cells would answer for one organization.');
