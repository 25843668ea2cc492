-- auth.analyst - the triggers of the analysts' logins.
set local role leads_auth;
call app.drop_triggers('auth.analyst');

create trigger _100_refuse_truncate before truncate on auth.analyst
  for each statement execute function audit.tg_refuse('Use "leads bi revoke", which records each change.');

-- An open session of an analyst must not change to another organization.
create trigger _110_refuse_change before update on auth.analyst
  for each statement execute function audit.tg_refuse('Revoke the analyst and create another one.');

create trigger _900_record after insert or update or delete on auth.analyst
  for each row execute function audit.tg_record('analyst', 'role_name');
