-- app.lead - the triggers of the leads' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on app.lead;
drop trigger if exists _500_stamp on app.lead;
drop trigger if exists _900_record on app.lead;

-- TRUNCATE fires no row trigger: leads would go without a trace.
create trigger _100_refuse_truncate before truncate on app.lead
  for each statement execute function audit.tg_refuse('Delete leads with DELETE, so that each is recorded.');

create trigger _500_stamp before insert or update on app.lead
  for each row execute function app.tg_lead__stamp();

create trigger _900_record after insert or update or delete on app.lead
  for each row execute function audit.tg_lead__record();
