-- crm.connection - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('crm.connection');

create trigger _100_refuse_truncate before truncate on crm.connection
  for each statement execute function audit.tg_refuse('Use "leads crm disconnect", which records each change.');

-- The audit log doesn't record revision, nor the times that change with the vendor's answers.
create trigger _900_record after insert or update or delete on crm.connection
  for each row execute function audit.tg_record('crm_connection', 'id', 'revision', 'blocked_until', 'paced_until');
