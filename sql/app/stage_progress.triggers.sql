-- app.stage_progress - the trigger that protects the table.
set local role leads_owner;
call app.drop_triggers('app.stage_progress');
call app.check_arrivals('app.stage_progress');

create trigger _100_refuse_truncate before truncate on app.stage_progress
  for each statement execute function audit.tg_refuse('All events would be counted again.');
