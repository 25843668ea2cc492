-- crm.connection - the triggers of the table.
set local role leads_owner;

call app.drop_triggers('crm.connection');

create trigger _100_refuse_truncate before truncate on crm.connection
  for each statement execute function audit.tg_refuse('Say "leads crm disconnect", so that each is recorded.');

-- Blocks and the pace come and go with the vendor's answers.
create trigger _900_record after insert or update or delete on crm.connection
  for each row execute function audit.tg_record('crm_connection', 'id', 'revision', 'blocked_until', 'paced_until');
