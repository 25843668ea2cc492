-- app.lead_word - the trigger that protects the table.
set local role leads_owner;
call app.drop_triggers('app.lead_word');
call app.check_arrivals('app.lead_word');

create trigger _100_refuse_truncate before truncate on app.lead_word
  for each statement execute function audit.tg_refuse('Without its rows, a search finds too few leads.');
