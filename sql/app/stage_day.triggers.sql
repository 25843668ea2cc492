-- app.stage_day - the trigger that protects the table.
set local role leads_owner;
call app.drop_triggers('app.stage_day');
call app.check_arrivals('app.stage_day');

create trigger _100_refuse_truncate before truncate on app.stage_day
  for each statement execute function audit.tg_refuse('The analysts would see wrong figures of stages.');
