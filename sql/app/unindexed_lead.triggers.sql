-- app.unindexed_lead - the trigger that protects the table.
set local role leads_owner;
call app.drop_triggers('app.unindexed_lead');
call app.check_arrivals('app.unindexed_lead');

create trigger _100_refuse_truncate before truncate on app.unindexed_lead
  for each statement execute function audit.tg_refuse('Without its rows, a search finds too few leads.');
